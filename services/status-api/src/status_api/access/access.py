"""Who asks: by bearer token, by session, by what a trusted proxy says, or nobody in particular."""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

from pageviews_core.clock import Clock
from status_api.access.actor import Actor
from status_api.access.session import COOKIE, CSRF_COOKIE, ONE_TIME, Session, Sessions, session_key
from status_api.access.tokens import Tokens
from status_api.settings import StatusSettings, named

_ATTEMPTS = 10
_ATTEMPTS_WITHIN_SECONDS = 60.0
_ADDRESSES_KEPT = 1_000


class BadToken(Exception):
    """A token was given, and is none."""


class Access:
    """Raises ConfigurationError for a bad token file or session key."""

    def __init__(self, settings: StatusSettings, clock: Clock) -> None:
        self.settings = settings
        self.tokens = Tokens(settings.tokens_file, clock)
        self.sessions = Sessions(session_key(settings))
        self._clock = clock
        self._proxies: list[IPv4Network | IPv6Network] = [
            ip_network(network, strict=False) for network in named(settings.trusted_proxies)
        ]
        self._operators = set(named(settings.proxy_operators))
        self._code = settings.one_time_sign_in
        self._attempts: OrderedDict[str, list[float]] = OrderedDict()
        self._guarding = threading.Lock()

    @property
    def may_sign_in(self) -> bool:
        return self.tokens.configured or bool(self._code)

    def actor(self, connection: HTTPConnection) -> Actor:
        """Raises BadToken."""
        address = self.address(connection)
        authorization = connection.headers.get("authorization", "")
        if authorization:
            scheme, _, token = authorization.partition(" ")
            entry = self.tokens.find(token.strip()) if scheme.lower() == "bearer" else None
            if entry is None:
                raise BadToken("the bearer token is not valid, or has expired")
            return Actor(entry.name, entry.role, address, "token")
        session = self.session(connection)
        if session is not None:
            if session.token == ONE_TIME:
                return Actor(session.name, "operator", address, "session")
            entry = self.tokens.by_hash(session.token)
            if entry is not None:
                return Actor(entry.name, entry.role, address, "session")
        if self.settings.proxy_user_header and self.is_trusted(connection):
            user = connection.headers.get(self.settings.proxy_user_header, "").strip()[:200]
            if user:
                return Actor(user, "operator" if user in self._operators else "viewer", address, "proxy")
        return Actor("anonymous", "viewer", address, "anonymous")

    def session(self, connection: HTTPConnection) -> Session | None:
        cookie = connection.cookies.get(COOKIE)
        return self.sessions.open(cookie) if cookie else None

    def csrf(self, connection: HTTPConnection, visitor: str) -> str:
        """`visitor`: the random value of the visitor's own cookie, for those without a session."""
        session = self.session(connection)
        return self.sessions.csrf(session.nonce if session else visitor)

    def visitor(self, connection: HTTPConnection) -> str | None:
        return connection.cookies.get(CSRF_COOKIE)

    def is_trusted(self, connection: HTTPConnection) -> bool:
        """Whether the request comes from a trusted proxy."""
        host = connection.client.host if connection.client else ""
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def address(self, connection: HTTPConnection) -> str | None:
        """The client's own, by the word of a trusted proxy."""
        forwarded = connection.headers.get("x-forwarded-for", "")
        if forwarded and self.is_trusted(connection):
            return forwarded.rsplit(",", 1)[-1].strip()[:100]
        return connection.client.host if connection.client else None

    def is_secure(self, connection: HTTPConnection) -> bool:
        forwarded = connection.headers.get("x-forwarded-proto", "")
        return connection.url.scheme == "https" or (forwarded == "https" and self.is_trusted(connection))

    def use_code(self, code: str) -> bool:
        """True once, for the right code."""
        with self._guarding:
            right = bool(self._code) and hmac.compare_digest(self._code.encode(), code.encode())
            if right:
                self._code = ""
            return right

    def may_try(self, address: str | None) -> bool:
        """Whether one more sign-in from there is taken: ten a minute are."""
        now, key = self._clock.monotonic(), address or "?"
        with self._guarding:
            recent = [at for at in self._attempts.pop(key, []) if now - at < _ATTEMPTS_WITHIN_SECONDS]
            allowed = len(recent) < _ATTEMPTS
            self._attempts[key] = [*recent, now] if allowed else recent
            while len(self._attempts) > _ADDRESSES_KEPT:
                self._attempts.popitem(last=False)
            return allowed
