"""The page's session: a signed cookie that says whose token signed in, and nothing that the server must remember."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pageviews_core.errors import ConfigurationError
from status_api.settings import SHORTEST_SECRET, StatusSettings

COOKIE = "pageviews_session"
CSRF_COOKIE = "pageviews_visitor"
LASTS_SECONDS = 12 * 3600
ONE_TIME = "one-time link"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Session:
    name: str
    token: str
    """The sha256 of the token, or ONE_TIME."""
    nonce: str


class Sessions:
    def __init__(self, key: str) -> None:
        self._key = key
        self._signed = URLSafeTimedSerializer(
            key, salt="pageviews session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def seal(self, session: Session) -> str:
        return str(self._signed.dumps([session.name, session.token, session.nonce]))

    def open(self, cookie: str) -> Session | None:
        """None for a cookie that was not signed with this key, or that is older than LASTS_SECONDS."""
        try:
            name, token, nonce = self._signed.loads(cookie, max_age=LASTS_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        return Session(str(name), str(token), str(nonce))

    def csrf(self, about: str) -> str:
        """For forms of whoever has this session, or this visitor's cookie."""
        return hmac.new(self._key.encode(), f"csrf {about}".encode(), hashlib.sha256).hexdigest()


def session_key(settings: StatusSettings) -> str:
    """Raises ConfigurationError for a key that is too short, or a file that cannot be read."""
    key = settings.session_key
    if settings.session_key_file:
        try:
            key = settings.session_key_file.read_text().strip()
        except OSError as exc:
            raise ConfigurationError(f"PAGEVIEWS_SESSION_KEY_FILE={settings.session_key_file}: {exc.strerror}") from exc
    if not key:
        log.info("session_key_made", note="sessions end with this process, and are not known to other replicas")
        return secrets.token_urlsafe(SHORTEST_SECRET)
    if len(key) < SHORTEST_SECRET:
        raise ConfigurationError(f"PAGEVIEWS_SESSION_KEY: at least {SHORTEST_SECRET} characters")
    return key
