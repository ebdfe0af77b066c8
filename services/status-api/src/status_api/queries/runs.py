"""Runs: many, and one with its steps and dbt's results."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection
from datetime import datetime
from sqlite3 import Row
from typing import Any, Literal

import structlog

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectNotFound
from pageviews_core.records.run import ErrorReport, HourOutcome, Job, RunRecord, StepTiming, Trigger
from status_api.queries.answers import Answer, NotFound, Page, RunState, UtcTime
from status_api.queries.cursors import cursor_after, position_of
from status_api.queries.hours import time_of, time_or_none
from status_api.queries.remedies import OF_ENDS
from status_api.view import View

_LARGEST_RESULTS = 16 * 1024 * 1024
"""Bytes, unpacked."""
_SLOWER, _SLOWER_SECONDS = 1.5, 1.0
_MORE_MEMORY = 1.25

log = structlog.get_logger()


class RunSummary(Answer):
    id: str
    job: Job
    trigger: Trigger
    request: str | None
    state: RunState
    """`lost`: it said `running`, but its leases have run out and it has not written since."""
    started_at: UtcTime
    finished_at: UtcTime | None
    seconds: float | None
    hour_count: int
    failed_hours: int
    first_hour: Hour | None
    last_hour: Hour | None
    rows: int
    bytes: int
    peak_memory: int
    error_type: str | None
    error: str | None
    version: str


class NodeOutcome(Answer):
    """One dbt model, test or seed."""

    name: str
    kind: str
    status: str
    started_at: UtcTime | None
    seconds: float
    rows: int | None
    failures: int | None
    message: str | None


class Difference(Answer):
    """Against the last run of the same job that succeeded."""

    what: str
    before: str
    now: str


class PodEnd(Answer):
    """How the platform ended the run's pod, where that was not the program's own end."""

    job_name: str
    pod: str | None
    reason: str
    detail: str
    exit_code: int | None
    at: UtcTime


class RunDetail(Answer):
    summary: RunSummary
    host: str
    pod: str | None
    pod_uid: str | None
    why_lost: str | None
    end: PodEnd | None
    hours: tuple[HourOutcome, ...]
    steps: tuple[StepTiming, ...]
    error: ErrorReport | None
    nodes: tuple[NodeOutcome, ...]
    """In the order in which they ran."""
    last_good_run: str | None
    changed: tuple[Difference, ...]
    artifacts: tuple[str, ...]
    """Keys."""


class TrendPoint(Answer):
    run: str
    started_at: UtcTime
    hour_count: int
    seconds: float | None
    seconds_per_hour: float | None
    bytes: int
    rows: int
    peak_memory: int
    steps: dict[str, float]


def list_runs(
    view: View,
    *,
    job: Job | None = None,
    states: Collection[RunState] = (),
    trigger: Trigger | None = None,
    hour: Hour | None = None,
    request: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[RunSummary]:
    """Newest first; since <= started_at < until. Raises BadCursor."""
    question = ["runs", job, sorted(states), trigger, hour, request, since, until]
    conditions: list[str] = []
    values: list[object] = []

    def where(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if job:
        where("job = ?", job)
    if states:
        where(f"state in ({', '.join('?' * len(states))})", *states)
        if "succeeded" not in states:
            where("state <> 'succeeded'")
    if trigger:
        where("trigger = ?", trigger)
        if trigger != "schedule":
            where("trigger <> 'schedule'")
    if hour:
        where("id in (select run from run_hours where hour = ?)", str(hour))
    if request:
        where("request = ?", request)
    if since:
        where("started_at >= ?", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if until:
        where("started_at < ?", until.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if cursor:
        where("id < ?", position_of(question, cursor)[0])
    clause = f"where {' and '.join(conditions)}" if conditions else ""
    rows = view.index.rows(f"select * from runs {clause} order by id desc limit ?", *values, limit + 1)
    items = tuple(summary_of(row) for row in rows[:limit])
    return Page(items=items, next_cursor=cursor_after(question, items[-1].id) if len(rows) > limit else None)


def summary_of(row: Row) -> RunSummary:
    return RunSummary(
        id=row["id"], job=row["job"], trigger=row["trigger"], request=row["request"], state=row["state"],
        started_at=time_of(row["started_at"]), finished_at=time_or_none(row["finished_at"]), seconds=row["seconds"],
        hour_count=row["hour_count"], failed_hours=row["failed_hours"],
        first_hour=Hour.parse(row["first_hour"]) if row["first_hour"] else None,
        last_hour=Hour.parse(row["last_hour"]) if row["last_hour"] else None,
        rows=row["rows"], bytes=row["bytes"], peak_memory=row["peak_memory"], error_type=row["error_type"],
        error=row["error"], version=row["version"],
    )  # fmt: skip


def read_run(view: View, run_id: str) -> RunDetail:
    """Raises NotFound."""
    found = view.index.rows("select * from runs where id = ?", run_id)
    if not found:
        raise NotFound(f"there is no run {run_id}: it may have been retired with its time")
    summary = summary_of(found[0])
    record = _record(view, run_id)
    artifacts = tuple(info.key for info in view.store.list(f"{keys.run(run_id)}/artifacts/"))
    nodes = tuple(node for key in artifacts if "/run_results.json" in key for node in _nodes(view, key))
    good = _last_good(view, summary)
    end = next(iter(_ends(view, "id = ?", record.pod_uid or "")), None)
    return RunDetail(
        summary=summary,
        host=record.host,
        pod=record.pod,
        pod_uid=record.pod_uid,
        why_lost=_why_lost(end) if summary.state == "lost" else None,
        end=end,
        hours=record.hours,
        steps=record.steps,
        error=record.error,
        nodes=nodes,
        last_good_run=good["id"] if good else None,
        changed=tuple(_changes(good, found[0])) if good else (),
        artifacts=artifacts,
    )


def trends(
    view: View, job: Job, *, limit: int = 200, state: Literal["succeeded"] | None = "succeeded"
) -> list[TrendPoint]:
    """Oldest first."""
    rows = view.index.rows(
        "select * from runs where job = ? and (? is null or state = ?) order by id desc limit ?",
        job, state, state, limit,
    )  # fmt: skip
    return [
        TrendPoint(
            run=row["id"],
            started_at=time_of(row["started_at"]),
            hour_count=row["hour_count"],
            seconds=row["seconds"],
            seconds_per_hour=row["seconds"] / row["hour_count"] if row["seconds"] and row["hour_count"] else None,
            bytes=row["bytes"],
            rows=row["rows"],
            peak_memory=row["peak_memory"],
            steps=json.loads(row["steps"]),
        )
        for row in reversed(rows)
    ]


def _record(view: View, run_id: str) -> RunRecord:
    key = keys.run_record(run_id)
    try:
        return RunRecord.decode(view.store.get(key)[0], key)
    except ObjectNotFound:
        raise NotFound(f"there is no run {run_id} any more") from None


def _nodes(view: View, key: str) -> list[NodeOutcome]:
    """Of dbt's run_results; empty where they cannot be read."""
    try:
        with gzip.open(view.store.open(key)) as results:
            body = results.read(_LARGEST_RESULTS + 1)
        if len(body) > _LARGEST_RESULTS:
            raise ValueError("too large")
        return [_node(result) for result in json.loads(body)["results"]]
    except (ObjectNotFound, OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as exc:
        log.warning("run_results_not_read", key=key, error=str(exc))
        return []


def _node(result: dict[str, Any]) -> NodeOutcome:
    kind, _, name = str(result["unique_id"]).partition(".")
    executed = next((part for part in result.get("timing") or () if part.get("name") == "execute"), None)
    rows = (result.get("adapter_response") or {}).get("rows_affected")
    started = executed.get("started_at") if executed else None
    return NodeOutcome(
        name=name.partition(".")[2].partition(".")[0] or name,
        kind=kind,
        status=str(result["status"]),
        started_at=datetime.fromisoformat(started) if started else None,
        seconds=round(float(result.get("execution_time") or 0), 3),
        rows=rows if isinstance(rows, int) and rows >= 0 else None,
        failures=result.get("failures"),
        message=result.get("message"),
    )


def _last_good(view: View, run: RunSummary) -> Row | None:
    rows = view.index.rows(
        "select * from runs where job = ? and state = 'succeeded' and id < ? order by id desc limit 1", run.job, run.id
    )
    return rows[0] if rows else None


def _changes(before: Row, now: Row) -> list[Difference]:
    found = []
    old, new = json.loads(before["steps"]), json.loads(now["steps"])
    for step, seconds in new.items():
        usual = old.get(step)
        if usual is not None and seconds > _SLOWER * usual and seconds - usual > _SLOWER_SECONDS:
            found.append(Difference(what=f"seconds of {step}", before=f"{usual:.1f}", now=f"{seconds:.1f}"))
    found += [Difference(what=f"step {step}", before="done", now="not reached") for step in old if step not in new]
    for column, what in (("version", "version"), ("host", "host"), ("hour_count", "hours"), ("rows", "rows")):
        if before[column] != now[column]:
            found.append(Difference(what=what, before=str(before[column]), now=str(now[column])))
    if now["peak_memory"] > _MORE_MEMORY * before["peak_memory"]:
        mib = 1024**2
        found.append(
            Difference(
                what="peak memory (MiB)",
                before=str(before["peak_memory"] // mib),
                now=str(now["peak_memory"] // mib),
            )
        )
    return found


def deaths(view: View) -> tuple[PodEnd, ...]:
    """Pods that ended before they left a run, newest first."""
    return tuple(_ends(view, "not exists (select 1 from runs where pod_uid = ends.id) and at > ?", ""))


def _ends(view: View, condition: str, value: str) -> list[PodEnd]:
    rows = view.index.rows(f"select * from ends where {condition} order by at desc limit 20", value)
    return [
        PodEnd(
            job_name=row["job_name"], pod=row["pod"], reason=row["reason"], detail=row["detail"],
            exit_code=row["exit_code"], at=time_of(row["at"]),
        )
        for row in rows
    ]  # fmt: skip


def _why_lost(end: PodEnd | None) -> str:
    if end:
        return (
            f"Kubernetes ended its pod {end.pod} ({end.reason}) before it could say that it ended; the last seconds of "
            "its log may be missing. What it had not finished stays owed, and the next run takes it. "
            f"{OF_ENDS.get(end.reason, '')}"
        )
    return (
        "It never said that it ended: its leases have run out, and nothing was written for it in the last minutes. "
        "Most likely its process was killed (out of memory, evicted, or the machine went away); the last seconds of "
        "its log may be missing. What it had not finished stays owed, and the next run takes it."
    )
