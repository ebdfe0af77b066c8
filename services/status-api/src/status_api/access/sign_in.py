"""Signing in on the page: with a token, or once with the link of whoever started the process."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pageviews_core.errors import PageviewsError
from status_api.access.actor import Actor
from status_api.access.guards import access_of, actor_of, check_form
from status_api.access.session import COOKIE, LASTS_SECONDS, ONE_TIME, Session
from status_api.pages.render import page
from status_api.queries.notes import write_audit

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@router.get("/sign-in")
def sign_in_form(request: Request) -> Response:
    return page(request, "sign_in.html", forms=True, error=None)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    return await run_in_threadpool(_sign_in, request, str(form.get("token", "")).strip())


@router.get("/sign-in/once")
def once_form(request: Request, code: str = "") -> Response:
    """A page with a button, since a browser or a mail program may fetch a link before anybody has clicked it."""
    return page(request, "sign_in_once.html", forms=True, code=code[:200], error=None)


@router.post("/sign-in/once")
async def once(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    return await run_in_threadpool(_once, request, str(form.get("code", "")))


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    check_form(request, await request.form())
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE)
    return response


def _sign_in(request: Request, token: str) -> Response:
    _bound_attempts(request)
    entry = access_of(request).tokens.find(token)
    if entry is None:
        _audit(request, actor_of(request), "refused", "no such token")
        return page(request, "sign_in.html", forms=True, error="This token is not valid, or has expired.", status=403)
    actor = Actor(entry.name, entry.role, actor_of(request).address, "session")
    _audit(request, actor, "done", "")
    return _with_session(request, Session(entry.name, entry.sha256, secrets.token_urlsafe(8)))


def _once(request: Request, code: str) -> Response:
    _bound_attempts(request)
    if not access_of(request).use_code(code):
        _audit(request, actor_of(request), "refused", "the one-time link was used or is not valid")
        return page(
            request,
            "sign_in_once.html",
            forms=True,
            code="",
            error="This link was used before, or is not valid.",
            status=403,
        )
    actor = Actor(ONE_TIME, "operator", actor_of(request).address, "session")
    _audit(request, actor, "done", "")
    return _with_session(request, Session(ONE_TIME, ONE_TIME, secrets.token_urlsafe(8)))


def _bound_attempts(request: Request) -> None:
    if not access_of(request).may_try(actor_of(request).address):
        raise HTTPException(429, "too many attempts: wait a minute", {"Retry-After": "60"})


def _with_session(request: Request, session: Session) -> Response:
    access = access_of(request)
    response = RedirectResponse("/", 303)
    options: dict[str, Any] = {"httponly": True, "samesite": "lax", "secure": access.is_secure(request)}
    response.set_cookie(COOKIE, access.sessions.seal(session), max_age=LASTS_SECONDS, **options)
    return response


def _audit(request: Request, actor: Actor, outcome: Any, detail: str) -> None:
    try:
        write_audit(request.state.view, actor, "session.create", actor.name, outcome=outcome, detail=detail)
    except PageviewsError as exc:  # a store that is down keeps nobody from signing in
        log.error("sign_in_not_audited", error=str(exc))
