"""What the forms of the pages do. A page is where one ends up."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import get_args

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pageviews_core.hour import Hour
from pageviews_core.records.run import Job
from status_api.access.guards import check_form, require_operator
from status_api.pages.errors import html_problem
from status_api.pages.render import view_of
from status_api.pages.work import order_of
from status_api.queries.notes import NoteRefused, add_note
from status_api.queries.plans import OrderRefused
from status_api.queries.requests import KeyReused, PlanChanged, submit
from status_api.queries.schedules import set_suspended

router = APIRouter(prefix="/actions", include_in_schema=False)


@router.post("/requests")
async def request_work(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    return await run_in_threadpool(_request_work, request, form)


@router.post("/notes")
async def note(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    return await run_in_threadpool(_note, request, form)


@router.post("/schedules")
async def schedule(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    return await run_in_threadpool(_schedule, request, form)


def _request_work(request: Request, form: FormData) -> Response:
    actor, view = require_operator(request), view_of(request)
    names = ("want", "since", "until", "hours", "force", "assets", "of", "why", "plan")
    try:
        order = order_of({name: str(form.get(name, "")) for name in names})
        key = str(form.get("idempotency_key", ""))[:255] or None
        made = submit(view, order, actor, idempotency_key=key)
    except PlanChanged:
        detail = "What would be done has changed since the dry run: look at it once more."
        return html_problem(request, HTTPStatus.CONFLICT, detail)
    except (OrderRefused, KeyReused) as exc:
        return html_problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))
    return RedirectResponse(f"/requests/{made.cancels or made.id}", 303)


def _note(request: Request, form: FormData) -> Response:
    actor, view = require_operator(request), view_of(request)
    try:
        hours = tuple(Hour.parse(text) for text in str(form.get("hours", "")).split())
        until = view.now() + timedelta(days=int(str(form.get("days", "7"))))
        add_note(view, hours, str(form.get("reason", "")).strip()[:500], until, actor)
    except (ValueError, OverflowError, NoteRefused) as exc:
        return html_problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))
    return RedirectResponse(f"/hours/{hours[0]}" if len(hours) == 1 else "/", 303)


def _schedule(request: Request, form: FormData) -> Response:
    actor, job = require_operator(request), str(form.get("job", ""))
    if job not in get_args(Job):
        raise HTTPException(422, f"no such job: {job[:50]}")
    set_suspended(view_of(request), job, form.get("suspend") == "yes", actor)  # type: ignore[arg-type]
    return RedirectResponse("/schedules", 303)
