"""What every request passes: is it for us, is it small enough, who asks; and what every answer carries."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from status_api.access.access import Access, BadToken
from status_api.access.session import CSRF_COOKIE
from status_api.problems import problem
from status_api.settings import named

LARGEST_BODY = 1024 * 1024
LONGEST_URL = 8 * 1024
_TOO_LARGE = f"at most {LARGEST_BODY} bytes"
PROBES = ("/livez", "/readyz", "/metrics")
OPEN = (*PROBES, "/version", "/sign-in", "/static/")
"""Asked for without a token even where looking needs one."""
DOCS = "/api/v1/docs"
DBT_DOCS = "/docs/dbt"

_POLICY = (
    "default-src 'none'; style-src 'self'{style}; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_DOCS_POLICY = _POLICY.format(style=" 'unsafe-inline'")
# dbt's page is a whole application in one file: it may run its scripts, in an origin of its own that holds no session
# and reaches nothing, this service included.
_DBT_DOCS_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Outermost of ours: everything that leaves gets the headers, the refusals too.

    `style_digest` is that of the one style sheet which pages carry within them, as Content-Security-Policy writes it.
    """

    def __init__(self, app: ASGIApp, access: Access, style_digest: str) -> None:
        self._app = app
        self._access = access
        self._policy = _POLICY.format(style=f" '{style_digest}'")
        self._hosts = {host.lower() for host in named(access.settings.allowed_hosts)}
        self._hosts.add(access.settings.host.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope, MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            status, reason, headers = refusal
            await problem(status, reason, headers)(scope, receive, with_headers)
            return
        body = _BoundedBody(receive)
        try:
            await self._app(scope, body, with_headers)
        except ClientDisconnect:
            if not body.too_large:
                raise
            await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str, dict[str, str]] | None:
        connection, path = HTTPConnection(scope), scope["path"]
        headers = Headers(scope=scope)
        if path not in PROBES and not self._is_ours(headers.get("host", "")):
            return HTTPStatus.MISDIRECTED_REQUEST, "this host name is not in PAGEVIEWS_ALLOWED_HOSTS", {}
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
            return HTTPStatus.REQUEST_URI_TOO_LONG, f"at most {LONGEST_URL} bytes", {}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, {}
        try:
            scope["state"]["actor"] = self._access.actor(connection)
        except BadToken as exc:
            return HTTPStatus.UNAUTHORIZED, str(exc), {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        scope["state"]["access"] = self._access
        closed = self._access.settings.anonymous == "none" and scope["state"]["actor"].via == "anonymous"
        if closed and not path.startswith(OPEN):
            return HTTPStatus.UNAUTHORIZED, "a token is needed: sign in at /sign-in", {"WWW-Authenticate": "Bearer"}
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.lower()
        bare = name if name.endswith("]") else name.rsplit(":", 1)[0]
        return "*" in self._hosts or bare in self._hosts

    def _add_headers(self, scope: Scope, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        policies = ((DOCS, _DOCS_POLICY), (DBT_DOCS, _DBT_DOCS_POLICY))
        policy = next((policy for path, policy in policies if scope["path"].startswith(path)), self._policy)
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("Cache-Control", "no-store")
        visitor = scope["state"].get("new_visitor")
        if visitor:
            secure = "; Secure" if self._access.is_secure(HTTPConnection(scope)) else ""
            headers.append("Set-Cookie", f"{CSRF_COOKIE}={visitor}; Path=/; HttpOnly; SameSite=Lax{secure}")


class _BoundedBody:
    """For bodies that do not say how long they are: beyond the bound, as if the client had gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0

    @property
    def too_large(self) -> bool:
        return self._taken > LARGEST_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.too_large else message
