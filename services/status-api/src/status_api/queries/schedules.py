"""When each job looks next, whether it did when it should have, and switching that off and on."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from sqlite3 import Row
from typing import get_args

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
    """The last tick is older than two periods and five minutes, and the schedule is not suspended."""
    missed_since: UtcTime | None


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
    return view.settings.ingestor_cron if job == "ingestor" else view.settings.transformer_cron


def _schedule(view: View, job: Job, tick: Row | None, suspended: bool) -> Schedule:
    cron, now = cron_of(view, job), view.now()
    at = time_of(tick["at"]) if tick else None
    overdue = list(islice(CronSim(cron, at), 2))[-1] + _GRACE if at else None
    missed = overdue is not None and overdue < now and not suspended
    return Schedule(
        job=job,
        cron=cron,
        suspended=suspended,
        next_ticks=() if suspended else tuple(islice(CronSim(cron, now), _SHOWN)),
        last_tick_at=at,
        last_tick_outcome=tick["outcome"] if tick else None,
        last_tick_detail=tick["detail"] if tick else None,
        last_tick_owed=tick["owed"] if tick else None,
        last_tick_seconds=tick["seconds"] if tick else None,
        last_run=tick["run"] if tick else None,
        missed=missed,
        missed_since=overdue if missed else None,
    )
