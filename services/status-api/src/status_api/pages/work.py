"""Schedules, and what people have asked the jobs for."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from pageviews_core.hour import Hour
from status_api.pages.render import cached, page, view_of
from status_api.queries.answers import NotFound
from status_api.queries.plans import Order, OrderRefused, Plan, plan_order
from status_api.queries.requests import list_requests, read_request
from status_api.queries.runs import deaths
from status_api.queries.schedules import read_schedules
from status_api.view import View

router = APIRouter(include_in_schema=False)

WANTS = {
    "backfill": "Load what is missing in a range",
    "reload": "Load hours again from the source",
    "run": "Build hours again from what was loaded",
    "retry_failed": "Retry what has failed",
}
_REQUESTS = 50
_SHOWN = 200


@router.get("/schedules")
def schedules_page(request: Request) -> Response:
    if found := cached(request):
        return found
    return page(request, "schedules.html", schedules=read_schedules(view_of(request)), deaths=deaths(view_of(request)))


@router.get("/requests")
def requests_page(request: Request, cursor: Annotated[str | None, Query(max_length=500)] = None) -> Response:
    if found := cached(request):
        return found
    found_requests = list_requests(view_of(request), limit=_REQUESTS, cursor=cursor)
    return page(request, "requests.html", requests=found_requests.items, older=found_requests.next_cursor)


@router.get("/requests/new")
def new_request(
    request: Request,
    want: Annotated[str, Query(max_length=20)] = "backfill",
    since: Annotated[str, Query(max_length=20)] = "",
    until: Annotated[str, Query(max_length=20)] = "",
    hours: Annotated[str, Query(max_length=20_000)] = "",
    force: Annotated[str, Query(max_length=5)] = "",
    assets: Annotated[str, Query(max_length=5_000)] = "",
    why: Annotated[str, Query(max_length=500)] = "",
    dry: Annotated[str, Query(max_length=5)] = "",
) -> Response:
    """The form; with `dry` what it would do, and the button that does it."""
    view = view_of(request)
    given = {
        "want": want if want in WANTS else "backfill", "since": since.strip(), "until": until.strip(),
        "hours": " ".join(hours.split()), "force": bool(force), "assets": " ".join(assets.split()), "why": why,
    }  # fmt: skip
    plan, error = _tried(view, given) if dry else (None, None)
    return page(
        request, "request_new.html", given=given, plan=plan, error=error, wants=WANTS, shown=_SHOWN,
        key=secrets.token_urlsafe(16),
    )  # fmt: skip


@router.get("/requests/{request_id}")
def request_page(request: Request, request_id: str) -> Response:
    if found := cached(request):
        return found
    detail = read_request(view_of(request), request_id)
    return page(request, "request.html", detail=detail, asked=detail.summary, shown=_SHOWN)


def order_of(given: dict[str, object]) -> Order:
    """Raises OrderRefused for what cannot be read."""
    try:
        return Order(
            want=given["want"],
            since=_hour(str(given["since"])),
            until=_hour(str(given["until"])),
            hours=tuple(Hour.parse(text) for text in str(given["hours"]).split()),
            force=bool(given["force"]),
            assets=tuple(str(given["assets"]).split()),
            of=str(given.get("of") or "") or None,
            why=str(given["why"]),
            plan=str(given.get("plan") or "") or None,
        )
    except ValidationError as exc:
        raise OrderRefused("; ".join(str(error["msg"]) for error in exc.errors()[:3])) from exc
    except ValueError as exc:
        raise OrderRefused(str(exc)) from exc


def _tried(view: View, given: dict[str, object]) -> tuple[Plan | None, str | None]:
    try:
        return plan_order(view, order_of(given)), None
    except (OrderRefused, NotFound) as exc:
        return None, str(exc)


def _hour(text: str) -> Hour | None:
    """As it is written, or as a browser's field for a date and a time gives it: `2026-11-20T09:00`."""
    return Hour.parse(text[:13]) if text else None
