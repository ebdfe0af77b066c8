"""One answer for a monitor, and for the first line of the page."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pageviews_core.hour import Hour
from status_api.queries.answers import Answer, HourState, UtcTime, Warning_
from status_api.queries.meta import read_meta
from status_api.queries.problems import Problem, find_problems
from status_api.queries.schedules import Schedule, read_schedules
from status_api.view import View


class JobNow(Answer):
    job: Literal["ingestor", "transformer"]
    running: tuple[str, ...]
    """Ids of runs."""
    last_tick_at: UtcTime | None
    last_tick_outcome: str | None
    next_tick_at: UtcTime | None
    """None: its schedule is suspended."""
    suspended: bool
    missed: bool


class Status(Answer):
    health: Literal["ok", "degraded", "failing", "unknown"]
    """`failing`: an error stands; `degraded`: a warning does; `unknown`: the store is down, or nothing is known yet."""
    sentence: str
    """`Data complete to 09:00 UTC, 1 h 12 min behind (normal); 2 of 672 hours need you.`"""
    newest_complete_hour: Hour | None
    lag_seconds: int | None
    """Since the end of the newest complete hour."""
    lag_is_normal: bool
    start: Hour | None
    expected_hours: int
    hours: dict[HourState, int]
    warnings: dict[Warning_, int]
    need_attention: int
    failing_since: UtcTime | None
    problems: tuple[Problem, ...]
    jobs: tuple[JobNow, ...]
    indexing: bool
    """The first reading of the store is not over: what is missing may only not be known yet."""
    index_read: int
    index_known: int
    store_up: bool
    store_seen_at: UtcTime | None
    at: UtcTime


_NORMAL_LAG = timedelta(hours=3)
"""Of the newest complete hour: an hour is published some 45 minutes after its end, and seldom later than two hours."""


def read_status(view: View) -> Status:
    """Computed once for each state of the index and minute: every page and every monitor asks for it."""
    minute = view.now().replace(second=0, microsecond=0)
    key = (view.version, view.index.filling, view.index.store.up, minute)
    return view.extracts.get("status", key, lambda: _status(view), at_most=2)


def _status(view: View) -> Status:
    now = view.now()
    meta = read_meta(view)
    states = {row["state"]: row["count"] for row in view.index.rows("select state, count from hour_states")}
    warnings = {row["warning"]: row["count"] for row in view.index.rows("select warning, count from hour_warnings")}
    newest = Hour.parse(meta["newest_complete_hour"]) if meta.get("newest_complete_hour") else None
    lag = max(0, int((now - newest.ended_at).total_seconds())) if newest else None
    normal = lag is not None and lag <= _NORMAL_LAG.total_seconds()
    schedules = read_schedules(view)
    problems = tuple(find_problems(view, schedules))
    attention = len({hour for problem in problems for hour in problem.hours})
    others = sum(not problem.hours for problem in problems)
    expected, filling, store = sum(states.values()), view.index.filling, view.index.store
    failing = [problem.since for problem in problems if problem.severity == "error" and problem.since]
    health = _health(view, problems, known=bool(expected), normal=normal)
    return Status(
        health=health,
        sentence=_sentence(view, newest, lag, normal=normal, attention=attention, expected=expected, others=others),
        newest_complete_hour=newest,
        lag_seconds=lag,
        lag_is_normal=normal,
        start=_first_hour(view),
        expected_hours=expected,
        hours=states,
        warnings=warnings,
        need_attention=attention,
        failing_since=min(failing) if failing and health == "failing" else None,
        problems=problems,
        jobs=tuple(_job(view, schedule) for schedule in schedules),
        indexing=not filling.complete,
        index_read=filling.read,
        index_known=filling.known,
        store_up=store.up,
        store_seen_at=store.seen_at,
        at=now,
    )


def duration(seconds: float) -> str:
    """`1 h 12 min`, `3 d 4 h`, `40 s`."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours_left = divmod(hours, 24)
    return f"{days} d {hours_left} h" if days else f"{hours} h {minutes} min"


def _sentence(
    view: View, newest: Hour | None, lag: int | None, *, normal: bool, attention: int, expected: int, others: int
) -> str:
    if not view.index.store.up:
        return "The object store cannot be read: what stands here is what was known before."
    if newest is None or lag is None:
        if not view.index.filling.complete:
            return "Reading the object store for the first time."
        return "No hour is complete yet." if expected else "Nothing has run yet."
    judged = "normal" if normal else "later than usual"
    end = newest.ended_at
    day = "" if end.date() == view.now().date() else f"{end.day} {end:%b} "
    needs = _needs(attention, expected, others)
    return f"Data complete to {day}{end:%H:%M} UTC, {duration(lag)} behind ({judged}); {needs}."


def _needs(hours: int, expected: int, others: int) -> str:
    """`others`: problems that are no hour's, such as a suspended schedule."""
    more = f"{others} other {'thing' if others == 1 else 'things'}"
    if hours:
        return f"{hours:,} of {expected:,} hours{f' and {more}' if others else ''} need you"
    if others:
        return f"no hour needs you, but {more} {'does' if others == 1 else 'do'}"
    return "nothing needs you"


def _health(
    view: View, problems: tuple[Problem, ...], *, known: bool, normal: bool
) -> Literal["ok", "degraded", "failing", "unknown"]:
    if not view.index.store.up or not known:
        return "unknown"
    if any(problem.severity == "error" for problem in problems):
        return "failing"
    return "degraded" if problems or not normal else "ok"


def _job(view: View, schedule: Schedule) -> JobNow:
    running = view.index.rows(
        "select id from runs where state = 'running' and job = ? order by id desc limit 20", schedule.job
    )
    return JobNow(
        job=schedule.job,
        running=tuple(row["id"] for row in running),
        last_tick_at=schedule.last_tick_at,
        last_tick_outcome=schedule.last_tick_outcome,
        next_tick_at=schedule.next_ticks[0] if schedule.next_ticks else None,
        suspended=schedule.suspended,
        missed=schedule.missed,
    )


def _first_hour(view: View) -> Hour | None:
    row = view.index.rows("select min(hour) as hour from hours")[0]
    return Hour.parse(row["hour"]) if row["hour"] else None
