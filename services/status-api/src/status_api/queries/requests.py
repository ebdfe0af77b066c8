"""Asking the jobs for work, and what became of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from sqlite3 import Row
from statistics import median
from typing import Literal, get_args

from pydantic import Field
from ulid import ULID

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour, hour_range
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.request import ClosedRequest, IdempotencyKey, ProgressOutcome, Request, RequestKind
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from status_api.access.actor import Actor
from status_api.queries.answers import Answer, NotFound, Page, UtcTime
from status_api.queries.assets import list_assets
from status_api.queries.cursors import cursor_after, position_of
from status_api.queries.hours import time_of, time_or_none
from status_api.queries.notes import write_audit
from status_api.queries.schedules import read_schedules
from status_api.view import View

HourProgress = Literal["waiting", "running", "loaded", "done", "failed"]
Wanted = Literal["run", "reload", "backfill", "retry_failed", "cancel"]


class Order(Answer):
    """What a person asks for; the body of POST /requests.

    `run`: builds `hours` again (by default the newest complete one), all models or `assets` alone.
    `reload`: downloads, loads and builds `hours` again.
    `backfill`: `since` <= hour < `until`, or `hours`: only what is missing, or with `force` all of it.
    `retry_failed`: every failed hour now, without its pause; with `of`, those of that request.
    `cancel`: ends the request `of`.
    """

    want: Wanted
    hours: tuple[Hour, ...] = Field(default=(), max_length=1_000)
    since: Hour | None = None
    until: Hour | None = None
    force: bool = False
    assets: tuple[str, ...] = Field(default=(), max_length=100)
    of: str | None = Field(default=None, max_length=26)
    why: str = Field(default="", max_length=500)
    plan: str | None = Field(default=None, max_length=64)
    """The digest of a dry run: if what would be done has changed since, the answer is 409."""


class Plan(Answer):
    """What an order would do now."""

    kind: RequestKind
    hours: tuple[Hour, ...]
    skipped: int
    """Hours of the range that need nothing."""
    models: tuple[str, ...]
    estimated_seconds: float | None
    """From the median of past runs; None where there are none."""
    starts_at: UtcTime | None
    """The job's next tick; a `watch` takes it within seconds."""
    digest: str
    warnings: tuple[str, ...]


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


class RequestedHour(Answer):
    hour: Hour
    state: HourProgress
    run: str | None
    error: str | None


class RequestDetail(Answer):
    summary: RequestSummary
    hours: tuple[RequestedHour, ...]
    done: int
    failed: int
    starts_at: UtcTime | None
    may_be_cancelled: bool


class PlanChanged(Exception):
    """What would be done is not what the dry run said."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("the plan has changed since the dry run")
        self.plan = plan


class OrderRefused(ValueError):
    """The order cannot be carried out; the text says why and what is allowed."""


class KeyReused(Exception):
    """The same Idempotency-Key came with another body."""


_TO_LOAD = ("missing", "late", "failed", "absent", "waiting")
_MODEL = re.compile(r"[A-Za-z0-9_]+")
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_RUNS_OF_ESTIMATE = 50


def plan_order(view: View, order: Order) -> Plan:
    """Raises OrderRefused, NotFound."""
    if order.want == "cancel":
        return _plan_of_cancel(view, order)
    kind, hours, skipped, warnings = _hours_of(view, order)
    if not hours:
        raise OrderRefused("there is nothing to do: " + (warnings[0] if warnings else "none of these hours needs it"))
    if len(hours) > view.settings.max_request_hours:
        raise OrderRefused(
            f"{len(hours):,} hours are more than the {view.settings.max_request_hours:,} of one request "
            "(PAGEVIEWS_MAX_REQUEST_HOURS): ask for them in parts"
        )
    models = _models(view, order, kind)
    starts_at = _next_tick(view, "ingestor" if kind == "backfill" else "transformer")
    return Plan(
        kind=kind,
        hours=hours,
        skipped=skipped,
        models=models,
        estimated_seconds=_estimate(view, kind, len(hours)),
        starts_at=starts_at,
        digest=_digest(kind, hours, models, order.force),
        warnings=warnings,
    )


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
        force=_forces(order),
        models=plan.models,
        cancels=order.of if plan.kind == "cancel" else None,
        who=actor.name,
        why=order.why or order.want,
        created_at=view.now(),
    )
    write_audit(view, actor, "request.create", request_id, detail=f"{order.want}, {len(plan.hours)} hours: {order.why}")
    with suppress(ObjectExists):  # the other click was as fast
        Requests(view.journal).submit(request)
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
    request, closed = _record(view, request_id)
    summary = _summary_of_record(request, closed)
    hours = tuple(_progress(view, request, closed))
    return RequestDetail(
        summary=summary,
        hours=hours,
        done=sum(hour.state == "done" for hour in hours),
        failed=sum(hour.state == "failed" for hour in hours),
        starts_at=_next_tick(view, "ingestor" if request.kind == "backfill" else "transformer") if not closed else None,
        may_be_cancelled=closed is None and request.kind != "cancel",
    )


def _plan_of_cancel(view: View, order: Order) -> Plan:
    if not order.of:
        raise OrderRefused("`of` names the request to be cancelled")
    request, closed = _record(view, order.of)
    if closed or request.kind == "cancel":
        raise OrderRefused(f"the request {order.of} is {'over' if closed else 'a cancellation itself'}")
    return Plan(
        kind="cancel", hours=(), skipped=0, models=(), estimated_seconds=None, starts_at=_next_tick(view, "ingestor"),
        digest=_digest("cancel", (), (order.of,), False),
        warnings=("An hour that is being worked on is still finished.",),
    )  # fmt: skip


def _hours_of(view: View, order: Order) -> tuple[RequestKind, tuple[Hour, ...], int, tuple[str, ...]]:
    if order.want == "run":
        hours = order.hours or _newest_complete(view)
        _known(view, hours)
        states = _states(view, hours)
        loaded = ("complete", "ingested", "failed", "running")
        ready = tuple(hour for hour in sorted(set(hours)) if states[hour] in loaded)
        return "transform", ready, len(set(hours)) - len(ready), ("an hour that was never loaded cannot be built",)
    if order.want == "reload":
        if not order.hours:
            raise OrderRefused("`hours` names the hours to be loaded again")
        _known(view, order.hours)
        return "backfill", tuple(sorted(set(order.hours))), 0, ()
    if order.want == "retry_failed":
        return _failed_hours(view, order)
    asked = _range(view, order)
    if order.force:
        return "backfill", asked, 0, ()
    states = _states(view, asked)
    wanting = tuple(hour for hour in asked if states[hour] in _TO_LOAD or states[hour] == "ingested")
    return "backfill", wanting, len(asked) - len(wanting), ("every hour of the range is there",)


def _range(view: View, order: Order) -> tuple[Hour, ...]:
    if order.hours:
        _known(view, order.hours)
        return tuple(sorted(set(order.hours)))
    if not order.since or not order.until:
        raise OrderRefused("a backfill is over `since` <= hour < `until`, or over `hours`")
    count = order.until - order.since
    if count <= 0:
        raise OrderRefused("`until` is not after `since`: the range is half open")
    if count > view.settings.max_request_hours:
        raise OrderRefused(
            f"{count:,} hours are more than the {view.settings.max_request_hours:,} of one request "
            "(PAGEVIEWS_MAX_REQUEST_HOURS): ask for them in parts"
        )
    hours = tuple(hour_range(order.since, order.until))
    _known(view, (hours[0], hours[-1]))
    return hours


def _failed_hours(view: View, order: Order) -> tuple[RequestKind, tuple[Hour, ...], int, tuple[str, ...]]:
    """A backfill tries hours that failed to load at once, whatever their pause; a transform request those that failed
    to build. Where there are both, loading comes first."""
    rows = view.index.rows("select hour, failed_stage from hours where state = 'failed' order by hour")
    among = None
    if order.of:
        among = set(_record(view, order.of)[0].hours)
    elif order.hours:
        among = set(order.hours)
    failed = [(Hour.parse(row["hour"]), row["failed_stage"]) for row in rows]
    chosen = [(hour, stage) for hour, stage in failed if among is None or hour in among]
    to_load = tuple(hour for hour, stage in chosen if stage == "ingested")
    to_build = tuple(hour for hour, stage in chosen if stage == "transformed")
    if to_load and to_build:
        return "backfill", to_load, len(to_build), (
            f"{len(to_build)} more hours failed to be built: retry once more when these are loaded",
        )  # fmt: skip
    if to_build:
        return "transform", to_build, 0, ()
    return "backfill", to_load, 0, () if to_load else ("no hour has failed",)


def _forces(order: Order) -> bool:
    return order.want == "reload" or (order.want == "backfill" and order.force)


def _known(view: View, hours: Iterable[Hour]) -> None:
    newest = Hour.newest_ended(view.now())
    row = view.index.rows("select min(hour) as first from hours")[0]
    for hour in hours:
        if hour > newest:
            raise OrderRefused(f"{hour} is not over yet")
        if row["first"] and str(hour) < row["first"]:
            raise OrderRefused(f"{hour} is before the pipeline's start, {row['first']}: move PAGEVIEWS_START first")


def _states(view: View, hours: Sequence[Hour]) -> dict[Hour, str]:
    first, last = min(hours), max(hours)
    rows = view.index.rows("select hour, state from hours where hour between ? and ?", str(first), str(last))
    found = {row["hour"]: row["state"] for row in rows}
    return {hour: found.get(str(hour), "missing") for hour in hours}


def _newest_complete(view: View) -> tuple[Hour, ...]:
    row = view.index.rows("select max(hour) as hour from hours where state = 'complete'")[0]
    if not row["hour"]:
        raise OrderRefused("no hour is complete yet: there is nothing to build again")
    return (Hour.parse(row["hour"]),)


def _models(view: View, order: Order, kind: RequestKind) -> tuple[str, ...]:
    if not order.assets:
        return ()
    if kind != "transform":
        raise OrderRefused("`assets` belongs to the want `run`")
    models = {asset.name for asset in list_assets(view) if asset.kind == "model"}
    wrong = [name for name in order.assets if (name not in models if models else not _MODEL.fullmatch(name))]
    if wrong:
        raise OrderRefused(f"no such models: {', '.join(wrong[:5])[:200]}")
    return order.assets


def _estimate(view: View, kind: RequestKind, hours: int) -> float | None:
    """From the median seconds of an hour in the last runs of the jobs that it takes."""
    jobs = ("ingestor", "transformer") if kind == "backfill" else ("transformer",)
    total = 0.0
    for job in jobs:
        rows = view.index.rows(
            "select seconds / hour_count as each from runs where job = ? and state = 'succeeded' and hour_count > 0 "
            "order by id desc limit ?",
            job, _RUNS_OF_ESTIMATE,
        )  # fmt: skip
        if not rows:
            return None
        total += median(row["each"] for row in rows)
    return round(total * hours, 1)


def _next_tick(view: View, job: str) -> datetime | None:
    """Of the schedule even where it is suspended: requests are taken all the same."""
    schedule = next(schedule for schedule in read_schedules(view) if schedule.job == job)
    return schedule.next_ticks[0] if schedule.next_ticks else None


def _digest(kind: str, hours: Sequence[Hour], models: Sequence[str], force: bool) -> str:
    content = json.dumps([kind, list(map(str, hours)), list(models), force])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


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
        request, closed = _record(view, request_id)
    except NotFound:
        return None  # the first call died between its claim and its request
    return _summary_of_record(request, closed)


def _record(view: View, request_id: str) -> tuple[Request, ClosedRequest | None]:
    """Raises NotFound, also for a request that cannot be read."""
    if not _ID.fullmatch(request_id):
        raise NotFound("no request has such an id")
    try:
        closed = view.journal.read(keys.closed_request(request_id), ClosedRequest)
        if closed:
            return closed[0].request, closed[0]
        found = view.journal.read(keys.open_request(request_id), Request)
    except UnknownSchemaVersion as exc:
        raise NotFound(f"the request {request_id} cannot be read: {exc}") from exc
    if found is None:
        raise NotFound(f"there is no request {request_id}")
    return found[0], None


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


def _progress(view: View, request: Request, closed: ClosedRequest | None) -> Iterator[RequestedHour]:
    """Of a forced request, what the jobs noted for it; else what is known of the hours."""
    if not request.hours:
        return
    first, last = str(min(request.hours)), str(max(request.hours))
    known = {row["hour"]: row for row in view.index.rows("select * from hours where hour between ? and ?", first, last)}
    noted: dict[str, dict[Hour, ProgressOutcome]] = {"ingestor": {}, "transformer": {}}
    forced = request.force or request.kind == "transform"
    if forced:
        requests = Requests(view.journal)
        noted = {job: requests.hours_dealt_with(request, job) for job in get_args(Job)}
    failed = set(closed.failed_hours) if closed else set()
    for hour in request.hours:
        row = known.get(str(hour))
        state = _noted_state(hour, noted, request) if forced else _known_state(row, request)
        if closed:
            state = "failed" if hour in failed else "done" if closed.outcome != "cancelled" else state
        elif row is not None and row["running_run"] and state not in ("done", "failed"):
            state = "running"
        run = (
            (row["running_run"] or row["transformed_run"] or row["failed_run"] or row["ingested_run"]) if row else None
        )
        error = row["error"] if row is not None and state == "failed" else None
        yield RequestedHour(hour=hour, state=state, run=run, error=error)


def _noted_state(hour: Hour, noted: dict[str, dict[Hour, ProgressOutcome]], request: Request) -> HourProgress:
    built, loaded = noted["transformer"].get(hour), noted["ingestor"].get(hour)
    if built:
        return built
    if loaded == "failed":
        return "failed"
    return "loaded" if loaded or (request.kind == "backfill" and not request.force) else "waiting"


def _known_state(row: Row | None, request: Request) -> HourProgress:
    if row is None:
        return "waiting"
    if row["state"] in ("complete", "expired"):
        return "done"
    if row["state"] == "failed" and row["failed_run"] and keys.time_of(row["failed_run"]) > request.created_at:
        return "failed"
    return "loaded" if row["state"] == "ingested" else "waiting"
