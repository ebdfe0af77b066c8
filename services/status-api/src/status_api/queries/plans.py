"""What an order would do, before it does anything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import Literal

from pydantic import Field

from pageviews_core.hour import Hour, hour_range
from pageviews_core.records.request import RequestKind
from status_api.queries.answers import Answer, UtcTime
from status_api.queries.assets import list_assets
from status_api.queries.request_records import read_record
from status_api.queries.schedules import read_schedules
from status_api.view import View

Wanted = Literal["run", "reload", "backfill", "retry_failed", "cancel"]

_TO_LOAD = ("missing", "late", "failed", "absent", "waiting")
_MODEL = re.compile(r"[A-Za-z0-9_]+")
_RUNS_OF_ESTIMATE = 50


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


class OrderRefused(ValueError):
    """The order cannot be carried out; the text says why and what is allowed."""


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
    starts_at = next_tick(view, "ingestor" if kind == "backfill" else "transformer")
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


def _plan_of_cancel(view: View, order: Order) -> Plan:
    if not order.of:
        raise OrderRefused("`of` names the request to be cancelled")
    request, closed = read_record(view, order.of)
    if closed or request.kind == "cancel":
        raise OrderRefused(f"the request {order.of} is {'over' if closed else 'a cancellation itself'}")
    return Plan(
        kind="cancel", hours=(), skipped=0, models=(), estimated_seconds=None, starts_at=next_tick(view, "ingestor"),
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
        among = set(read_record(view, order.of)[0].hours)
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


def forces(order: Order) -> bool:
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


def next_tick(view: View, job: str) -> datetime | None:
    """Of the schedule even where it is suspended: requests are taken all the same."""
    schedule = next(schedule for schedule in read_schedules(view) if schedule.job == job)
    return schedule.next_ticks[0] if schedule.next_ticks else None


def _digest(kind: str, hours: Sequence[Hour], models: Sequence[str], force: bool) -> str:
    content = json.dumps([kind, list(map(str, hours)), list(models), force])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
