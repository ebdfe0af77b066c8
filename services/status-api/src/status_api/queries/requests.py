"""Asking the jobs for work, and what became of it."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from sqlite3 import Row
from typing import Literal

from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.request import ClosedRequest, IdempotencyKey, Request, RequestKind
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from status_api.access.actor import Actor
from status_api.queries.answers import Answer, NotFound, Page, UtcTime
from status_api.queries.cursors import cursor_after, position_of
from status_api.queries.hours import time_of, time_or_none
from status_api.queries.notes import write_audit
from status_api.queries.plans import Order, Plan, forces, next_tick, plan_order
from status_api.queries.progress import RequestedHour, progress_of
from status_api.queries.request_records import read_record
from status_api.view import View


class RequestSummary(Answer):
    id: str
    kind: RequestKind
    state: Literal["open", "done", "failed", "cancelled"]
    who: str
    why: str
    force: bool
    models: tuple[str, ...]
    cancels: str | None
    hour_count: int
    first_hour: Hour | None
    last_hour: Hour | None
    created_at: UtcTime
    closed_at: UtcTime | None


class RequestDetail(Answer):
    summary: RequestSummary
    hours: tuple[RequestedHour, ...]
    done: int
    failed: int
    starts_at: UtcTime | None
    start_command: str | None
    """What starts its job at once, on Kubernetes."""
    may_be_cancelled: bool


class PlanChanged(Exception):
    """What would be done is not what the dry run said."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("the plan has changed since the dry run")
        self.plan = plan


class KeyReused(Exception):
    """The same Idempotency-Key came with another body."""


def submit(view: View, order: Order, actor: Actor, *, idempotency_key: str | None = None) -> RequestSummary:
    """Audited. Raises what plan_order does, PlanChanged and KeyReused. The same key and body again: the same answer."""
    request_id = str(ULID.from_datetime(view.now()))
    if idempotency_key is not None:
        request_id, ours = _claim(view, order, actor, idempotency_key, request_id)
        if not ours and (found := _existing(view, request_id)):
            return found
    plan = plan_order(view, order)
    if order.plan is not None and order.plan != plan.digest:
        raise PlanChanged(plan)
    request = Request(
        id=request_id,
        kind=plan.kind,
        hours=plan.hours,
        force=forces(order),
        models=plan.models,
        cancels=order.of if plan.kind == "cancel" else None,
        who=actor.name,
        why=order.why or order.want,
        created_at=view.now(),
    )
    write_audit(view, actor, "request.create", request_id, detail=f"{order.want}, {len(plan.hours)} hours: {order.why}")
    with suppress(ObjectExists):  # the other click was as fast
        Requests(view.journal).submit(request)
    if view.scheduler.nudges:
        refused = view.scheduler.start(_job_of(request), request.id)
        outcome = refused or "started at once"
        write_audit(view, actor, "request.nudge", request_id, detail=outcome)
    view.index.refresh()
    return _summary_of_record(request)


def list_requests(
    view: View, *, state: str | None = None, limit: int = 100, cursor: str | None = None
) -> Page[RequestSummary]:
    """Newest first. Raises BadCursor."""
    question = ["requests", state]
    before = position_of(question, cursor)[0] if cursor else "~"
    rows = view.index.rows(
        "select * from requests where id < ? and (? is null or coalesce(outcome, 'open') = ?) order by id desc limit ?",
        before, state, state, limit + 1,
    )  # fmt: skip
    items = tuple(_summary(row) for row in rows[:limit])
    return Page(items=items, next_cursor=cursor_after(question, items[-1].id) if len(rows) > limit else None)


def read_request(view: View, request_id: str) -> RequestDetail:
    """Raises NotFound."""
    request, closed = read_record(view, request_id)
    summary = _summary_of_record(request, closed)
    hours = tuple(progress_of(view, request, closed))
    return RequestDetail(
        summary=summary,
        hours=hours,
        done=sum(hour.state == "done" for hour in hours),
        failed=sum(hour.state == "failed" for hour in hours),
        starts_at=next_tick(view, _job_of(request)) if not closed else None,
        start_command=None if closed else view.scheduler.scheduler.command(_job_of(request), request.id),
        may_be_cancelled=closed is None and request.kind != "cancel",
    )


def _job_of(request: Request) -> Job:
    """Which job takes it first."""
    return "ingestor" if request.kind in ("backfill", "cancel") else "transformer"


def _claim(view: View, order: Order, actor: Actor, key: str, request_id: str) -> tuple[str, bool]:
    """The id that the request of this key has, or is to have, and whether this call is the first with it."""
    digest = hashlib.sha256(order.model_dump_json().encode()).hexdigest()
    at = keys.idempotency_key(actor.name, key)
    claim = IdempotencyKey(request=request_id, digest=digest, created_at=view.now())
    try:
        view.store.create(at, claim.encode())
    except ObjectExists:
        claim = IdempotencyKey.decode(view.store.get(at)[0], at)
        if claim.digest != digest:
            raise KeyReused("this Idempotency-Key came with another body before") from None
        return claim.request, False
    return request_id, True


def _existing(view: View, request_id: str) -> RequestSummary | None:
    try:
        request, closed = read_record(view, request_id)
    except NotFound:
        return None  # the first call died between its claim and its request
    return _summary_of_record(request, closed)


def _summary(row: Row) -> RequestSummary:
    return RequestSummary(
        id=row["id"], kind=row["kind"], state=row["outcome"] or "open", who=row["who"], why=row["why"],
        force=bool(row["force"]), models=tuple(json.loads(row["models"])), cancels=row["cancels"],
        hour_count=row["hour_count"], first_hour=Hour.parse(row["first_hour"]) if row["first_hour"] else None,
        last_hour=Hour.parse(row["last_hour"]) if row["last_hour"] else None,
        created_at=time_of(row["created_at"]), closed_at=time_or_none(row["closed_at"]),
    )  # fmt: skip


def _summary_of_record(request: Request, closed: ClosedRequest | None = None) -> RequestSummary:
    return RequestSummary(
        id=request.id, kind=request.kind, state=closed.outcome if closed else "open", who=request.who, why=request.why,
        force=request.force, models=request.models, cancels=request.cancels, hour_count=len(request.hours),
        first_hour=min(request.hours, default=None), last_hour=max(request.hours, default=None),
        created_at=request.created_at, closed_at=closed.closed_at if closed else None,
    )  # fmt: skip
