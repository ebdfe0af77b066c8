"""When each job looks next, whether it did when it should have, and switching that off and on."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from sqlite3 import Row
from typing import Literal, get_args

from cronsim import CronSim

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.control import Schedules
from pageviews_core.records.run import Job
from status_api.access.actor import Actor
from status_api.queries.answers import Answer, UtcTime
from status_api.queries.hours import time_of
from status_api.queries.notes import write_audit
from status_api.view import View


class PlatformTrouble(Answer):
    """A pod that does not start, or a Job that gets none."""

    kind: Literal["cannot_start", "cannot_be_scheduled", "refused"]
    reason: str
    detail: str
    name: str
    since: UtcTime


class Platform(Answer):
    """What the scheduler itself says: nothing where that is the job's own `watch`."""

    scheduler: Literal["watch", "kubernetes"]
    cron_job: str | None
    """Its name."""
    exists: bool | None
    """None: it could not be asked."""
    suspended: bool
    """By `spec.suspend` of the CronJob, which is not the switch of this service."""
    last_scheduled_at: UtcTime | None
    running: tuple[str, ...]
    """Kubernetes Jobs that have not ended."""
    troubles: tuple[PlatformTrouble, ...]
    blind_spots: tuple[str, ...]
    """What could not be seen, and why."""


class Schedule(Answer):
    job: Job
    cron: str
    suspended: bool
    next_ticks: tuple[UtcTime, ...]
    """The next five; empty while suspended."""
    last_tick_at: UtcTime | None
    last_tick_outcome: str | None
    last_tick_detail: str | None
    last_tick_owed: int | None
    last_tick_seconds: float | None
    last_run: str | None
    missed: bool
    """The last tick is older than two periods and the time that one may be late; not while it is suspended, or a run of
    the job goes on."""
    missed_since: UtcTime | None
    platform: Platform


_SHOWN = 5
_GRACE = timedelta(minutes=5)
_SWAPS = 10


def read_schedules(view: View) -> tuple[Schedule, ...]:
    ticks = {row["job"]: row for row in view.index.rows("select * from ticks")}
    suspended = {row["job"] for row in view.index.rows("select job from suspended")}
    return tuple(_schedule(view, job, ticks.get(job), job in suspended) for job in get_args(Job))


def set_suspended(view: View, job: Job, suspended: bool, actor: Actor) -> Schedule:
    """Audited. Repeating it changes nothing."""
    write_audit(view, actor, "schedule.suspend" if suspended else "schedule.resume", job)
    for attempt in range(1, _SWAPS + 1):
        found = view.journal.read(keys.SCHEDULES, Schedules)
        before = set(found[0].suspended) if found else set()
        wanted = before | {job} if suspended else before - {job}
        if wanted == before:
            break
        try:
            record = Schedules(suspended=tuple(each for each in get_args(Job) if each in wanted))
            view.journal.swap(keys.SCHEDULES, record, found[1] if found else None)
        except (ObjectChanged, ObjectExists):
            if attempt == _SWAPS:
                raise
        else:
            break
    view.index.refresh()
    return next(schedule for schedule in read_schedules(view) if schedule.job == job)


def cron_of(view: View, job: Job) -> str:
    """The CronJob's own where it is known; else as this service was told."""
    known = view.scheduler.seen.cron_jobs.get(job)
    if known and known.cron:
        return known.cron
    return view.settings.ingestor_cron if job == "ingestor" else view.settings.transformer_cron


def _schedule(view: View, job: Job, tick: Row | None, suspended: bool) -> Schedule:
    cron, now, platform = cron_of(view, job), view.now(), _platform(view, job)
    at = time_of(tick["at"]) if tick else None
    known = view.scheduler.seen.cron_jobs.get(job)
    late = timedelta(seconds=known.starting_deadline_seconds) if known else timedelta(0)
    overdue = list(islice(CronSim(cron, at), 2))[-1] + max(_GRACE, late) if at else None
    at_rest = suspended or platform.suspended or _is_running(view, job)
    missed = overdue is not None and overdue < now and not at_rest
    off = suspended or platform.suspended or platform.exists is False
    return Schedule(
        job=job,
        cron=cron,
        suspended=suspended,
        next_ticks=() if off else tuple(islice(CronSim(cron, now), _SHOWN)),
        last_tick_at=at,
        last_tick_outcome=tick["outcome"] if tick else None,
        last_tick_detail=tick["detail"] if tick else None,
        last_tick_owed=tick["owed"] if tick else None,
        last_tick_seconds=tick["seconds"] if tick else None,
        last_run=tick["run"] if tick else None,
        missed=missed,
        missed_since=overdue if missed else None,
        platform=platform,
    )


def _is_running(view: View, job: Job) -> bool:
    """A long run keeps its own next ticks from starting."""
    return bool(view.index.rows("select 1 from runs where job = ? and state = 'running' limit 1", job))


def _platform(view: View, job: Job) -> Platform:
    seen, cron_job = view.scheduler.seen, view.scheduler.seen.cron_jobs.get(job)
    troubles = (
        PlatformTrouble(kind=each.kind, reason=each.reason, detail=each.detail, name=each.name, since=each.since)
        for each in seen.troubles
        if each.job == job
    )
    return Platform(
        scheduler=view.scheduler.scheduler.kind,
        cron_job=cron_job.name if cron_job else None,
        exists=cron_job.exists if cron_job else None,
        suspended=cron_job is not None and cron_job.suspended,
        last_scheduled_at=cron_job.last_scheduled_at if cron_job else None,
        running=cron_job.running if cron_job else (),
        troubles=tuple(troubles),
        blind_spots=seen.blind_spots,
    )
