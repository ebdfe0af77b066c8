"""What needs somebody: grouped by cause, each with what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import Literal

from pageviews_core.hour import Hour
from status_api.index.writing import text_of
from status_api.queries.answers import Answer, UtcTime
from status_api.queries.hours import time_of
from status_api.queries.remedies import (
    LOOK_AT_THE_LOG,
    LOOK_AT_THE_POD,
    OF_ENDS,
    OF_ERRORS,
    OF_STATES,
    OF_TROUBLES,
    OF_WARNINGS,
    Explained,
)
from status_api.queries.schedules import Schedule
from status_api.view import View

Severity = Literal["error", "warning"]
_MOST_HOURS_NAMED = 1_000


class Problem(Answer):
    """Hours (or jobs) that need somebody, grouped by their cause."""

    cause: str
    """A stable name: `failed:<error type>`, `late`, `missing`, `run_lost`, `schedule_suspended:<job>`,
    `tick_missed:<job>`, `cron_job_gone:<job>`, `cron_job_suspended:<job>`, `cannot_start:<job>`,
    `cannot_be_scheduled:<job>`, `refused:<job>`, `died:<reason>`, `scheduler_unseen`, `warning:<name>`, `store_down` or
    `unreadable_object`."""
    severity: Severity
    title: str
    """One line for a person: `2 hours failed: SourceCorrupt`."""
    detail: str
    """The error's text, or what it means."""
    remedy: str
    """What to do, in one or two sentences."""
    hours: tuple[Hour, ...]
    since: UtcTime | None
    retry_at: UtcTime | None
    run: str | None
    """A run to look at."""


def find_problems(view: View, schedules: tuple[Schedule, ...]) -> Iterator[Problem]:
    """What is worst first."""
    if not view.index.store.up:
        yield _plain(
            "store_down", "error", "The object store cannot be read", view.index.store.error or "no answer",
            "Look at the store and at this service's log; everything here is as it was last known.",
        )  # fmt: skip
    yield from _failed(view)
    yield from _of_hours("missing", "error", OF_STATES["missing"], _hours(view, "state = ?", "missing"))
    yield from _of_hours("late", "warning", OF_STATES["late"], _hours(view, "state = ?", "late"))
    yield from _died(view)
    lost = (
        "select runs.id, runs.job, runs.started_at, ends.reason, ends.detail "
        "from runs left join ends on ends.id = runs.pod_uid where state = 'lost' order by runs.id desc limit 5"
    )
    for row in view.index.rows(lost):
        yield Problem(
            cause="run_lost", severity="warning", title=f"A run of the {row['job']} was lost",
            detail=f"Its pod was ended: {row['reason']}. {row['detail']}" if row["reason"]
            else "It never said that it ended, and its leases have run out.",
            remedy="Nothing to repair: the next run takes its hours. If it comes back, look at the limits of memory.",
            hours=(), since=time_of(row["started_at"]), retry_at=None, run=row["id"],
        )  # fmt: skip
    yield from _of_platform(schedules)
    for schedule in schedules:
        if schedule.suspended:
            yield _plain(
                f"schedule_suspended:{schedule.job}", "warning", f"The {schedule.job}'s schedule is suspended",
                "Somebody switched it off; requests are still taken.", "Resume it when the reason is gone.",
            )  # fmt: skip
        elif schedule.missed:
            yield Problem(
                cause=f"tick_missed:{schedule.job}", severity="error", title=f"The {schedule.job} does not tick",
                detail="Its last tick is older than two periods of its schedule.",
                remedy="See that its CronJob or its `watch` runs, and read its log.",
                hours=(), since=schedule.missed_since, retry_at=None, run=schedule.last_run,
            )  # fmt: skip
    for name, explained in OF_WARNINGS.items():
        hours = _hours(view, "warnings <> '' and ' ' || warnings || ' ' like ?", f"% {name} %")
        yield from _of_hours(f"warning:{name}", "warning", explained, hours)
    for row in view.index.rows("select count(*) as count, min(seen_at) as since, min(key) as key from unreadable"):
        if row["count"]:
            yield Problem(
                cause="unreadable_object", severity="warning", title=f"{row['count']} objects cannot be read",
                detail=f"{row['key']}, for one: written by another version, or half written.",
                remedy="Run the version of this service that the jobs have; else look at the object.",
                hours=(), since=time_of(row["since"]), retry_at=None, run=None,
            )  # fmt: skip


def _died(view: View) -> Iterator[Problem]:
    """Pods of the last day that ended without a run or a tick of their own, unless the job has ticked since."""
    rows = view.index.rows(
        "select ends.job, reason, ends.detail, exit_code, job_name, ends.at, "
        "count(*) over (partition by ends.job) as count "
        "from ends left join runs on runs.pod_uid = ends.id left join ticks on ticks.job = ends.job "
        "where runs.id is null and ends.at > ? and coalesce(ends.started_at, ends.at) > coalesce(ticks.at, '') "
        "order by ends.at desc limit ?",
        text_of(view.now() - timedelta(days=1)), _MOST_HOURS_NAMED,
    )  # fmt: skip
    told = set()
    for row in rows:
        if row["job"] in told:
            continue
        told.add(row["job"])
        times = f" ({row['count']} times)" if row["count"] > 1 else ""
        code = f", exit code {row['exit_code']}" if row["exit_code"] is not None else ""
        yield Problem(
            cause=f"died:{row['reason']}", severity="error",
            title=f"The {row['job']} ended before it could begin: {row['reason']}{code}",
            detail=f"{row['job_name']}: {row['detail'] or 'no message'}{times}",
            remedy=OF_ENDS.get(row["reason"], LOOK_AT_THE_POD), hours=(), since=time_of(row["at"]), retry_at=None,
            run=None,
        )  # fmt: skip


def _of_platform(schedules: tuple[Schedule, ...]) -> Iterator[Problem]:
    if blind := schedules[0].platform.blind_spots:
        yield _plain(
            "scheduler_unseen", "warning", "Kubernetes does not say all that this page should show", "; ".join(blind),
            "Nothing of the data is wrong: see that the API server answers, and that the Role of the chart is bound.",
        )  # fmt: skip
    for schedule in schedules:
        platform = schedule.platform
        if platform.exists is False:
            yield _plain(
                f"cron_job_gone:{schedule.job}", "error", f"The {schedule.job}'s CronJob is gone",
                f"There is no CronJob {platform.cron_job} in the namespace: nothing starts the job.",
                "Install the chart's release again (helm upgrade), or apply the manifests.",
            )  # fmt: skip
        elif platform.suspended:
            yield _plain(
                f"cron_job_suspended:{schedule.job}", "warning", f"The {schedule.job}'s CronJob is suspended",
                "Somebody set spec.suspend, which this page does not change; requests wait too.",
                f"""kubectl patch cronjob {platform.cron_job} -p '{{"spec":{{"suspend":false}}}}'""",
            )  # fmt: skip
        for trouble in platform.troubles:
            explained = OF_TROUBLES[trouble.kind]
            yield Problem(
                cause=f"{trouble.kind}:{schedule.job}", severity="error",
                title=f"The {schedule.job} {explained.title}: {trouble.reason}",
                detail=f"{trouble.name}: {trouble.detail}", remedy=explained.remedy, hours=(), since=trouble.since,
                retry_at=None, run=None,
            )  # fmt: skip


def _failed(view: View) -> Iterator[Problem]:
    rows = view.index.rows(
        "select error_type, error, hour, failing_since, next_try_at, failed_run from hours "
        "where state = 'failed' and acknowledged_until is null order by error_type, hour desc limit ?",
        _MOST_HOURS_NAMED,
    )
    for kind, found in groupby(rows, key=lambda row: row["error_type"]):
        group = list(found)
        yield Problem(
            cause=f"failed:{kind}",
            severity="error",
            title=f"{len(group)} {'hour' if len(group) == 1 else 'hours'} failed: {kind}",
            detail=group[0]["error"] or "",
            remedy=OF_ERRORS.get(kind, LOOK_AT_THE_LOG),
            hours=tuple(Hour.parse(row["hour"]) for row in group),
            since=min(time_of(row["failing_since"]) for row in group),
            retry_at=min(time_of(row["next_try_at"]) for row in group),
            run=group[0]["failed_run"],
        )


def _hours(view: View, condition: str, value: str) -> tuple[Hour, ...]:
    """Newest first, without the acknowledged ones."""
    rows = view.index.rows(
        f"select hour from hours where {condition} and acknowledged_until is null order by hour desc limit ?",
        value, _MOST_HOURS_NAMED,
    )  # fmt: skip
    return tuple(Hour.parse(row["hour"]) for row in rows)


def _of_hours(cause: str, severity: Severity, explained: Explained, hours: tuple[Hour, ...]) -> Iterator[Problem]:
    if hours:
        yield Problem(
            cause=cause,
            severity=severity,
            title=f"{len(hours)} {'hour' if len(hours) == 1 else 'hours'} {explained.title}",
            detail=explained.detail,
            remedy=explained.remedy,
            hours=hours,
            since=hours[-1].ended_at,
            retry_at=None,
            run=None,
        )


def _plain(cause: str, severity: Severity, title: str, detail: str, remedy: str) -> Problem:
    return Problem(
        cause=cause, severity=severity, title=title, detail=detail, remedy=remedy, hours=(), since=None, retry_at=None,
        run=None,
    )  # fmt: skip
