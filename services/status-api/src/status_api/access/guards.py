"""What a route asks before it answers."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pageviews_core.errors import PageviewsError
from status_api.access.access import Access
from status_api.access.actor import Actor
from status_api.access.session import CSRF_COOKIE
from status_api.queries.notes import write_audit

log = structlog.get_logger()


def actor_of(request: Request) -> Actor:
    actor = request.state.actor
    assert isinstance(actor, Actor)
    return actor


def access_of(request: Request) -> Access:
    access = request.state.access
    assert isinstance(access, Access)
    return access


def require_viewer(request: Request) -> Actor:
    """Raises HTTPException 401 where looking needs a token too."""
    actor = actor_of(request)
    if actor.via == "anonymous" and access_of(request).settings.anonymous == "none":
        raise HTTPException(401, "a token is needed: sign in", {"WWW-Authenticate": "Bearer"})
    return actor


def require_operator(request: Request) -> Actor:
    """Raises HTTPException 401 for nobody in particular, and 403 for somebody who may only look; that is audited."""
    actor = require_viewer(request)
    reason = reason_against(request)
    if reason is None:
        return actor
    try:
        write_audit(request.state.view, actor, "refused", request.url.path, outcome="refused", detail=reason)
    except PageviewsError as exc:
        log.error("refusal_not_audited", path=request.url.path, error=str(exc))
    if actor.via == "anonymous" and access_of(request).may_sign_in:
        raise HTTPException(401, reason, {"WWW-Authenticate": "Bearer"})
    raise HTTPException(403, reason)


def reason_against(request: Request) -> str | None:
    """Why whoever asks may change nothing; None if they may."""
    actor = actor_of(request)
    if actor.may_change:
        return None
    if actor.via != "anonymous":
        return f"{actor.name} is a viewer: changes need an operator"
    if access_of(request).may_sign_in:
        return "sign in as an operator to change anything"
    return "read-only: no tokens are configured (PAGEVIEWS_TOKENS_FILE)"


def csrf_token(request: Request) -> str:
    """For the hidden field `csrf` of a form. A visitor without a session gets a cookie of their own with the answer."""
    visitor = access_of(request).visitor(request)
    if visitor is None:
        visitor = getattr(request.state, "new_visitor", None) or secrets.token_urlsafe(16)
        request.scope["state"]["new_visitor"] = visitor
    return access_of(request).csrf(request, visitor)


def check_form(request: Request, form: FormData) -> None:
    """Raises HTTPException 403 for a form that was not made here for whoever sends it."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "the form comes from another site")
    if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "the form comes from another site")
    visitor = access_of(request).visitor(request) or ""
    expected = access_of(request).csrf(request, visitor)
    given = str(form.get("csrf", ""))
    has_identity = bool(visitor) or access_of(request).session(request) is not None
    if not has_identity or not hmac.compare_digest(expected.encode(), given.encode()):
        raise HTTPException(403, "the form is too old, or not from here: open the page again")


__all__ = [
    "CSRF_COOKIE", "access_of", "actor_of", "check_form", "csrf_token", "reason_against", "require_operator",
    "require_viewer",
]  # fmt: skip
