"""How far a request has come: of a forced one what the jobs noted for it, of any other what is known of its hours."""

from __future__ import annotations

from collections.abc import Iterator
from sqlite3 import Row
from typing import Literal, get_args

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.records.request import ClosedRequest, ProgressOutcome, Request
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from status_api.queries.answers import Answer
from status_api.view import View

HourProgress = Literal["waiting", "running", "loaded", "done", "failed"]


class RequestedHour(Answer):
    hour: Hour
    state: HourProgress
    run: str | None
    error: str | None


def progress_of(view: View, request: Request, closed: ClosedRequest | None) -> Iterator[RequestedHour]:
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
