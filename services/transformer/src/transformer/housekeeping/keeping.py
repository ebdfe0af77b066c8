"""The daily housekeeping: each task on its own, so that one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from pageviews_core.errors import PageviewsError, Stopped
from pageviews_core.job.session import Session
from pageviews_core.records.housekeeping import TaskReport
from transformer.housekeeping.audit import audit
from transformer.housekeeping.claim import ClaimedHouse, ClaimLost, TaskName
from transformer.housekeeping.compaction import compact
from transformer.housekeeping.objects import retire_objects
from transformer.housekeeping.pruning import prune
from transformer.housekeeping.rows import Retire, retire_rows
from transformer.housekeeping.runs import retire_runs
from transformer.housekeeping.settings import HousekeepingSettings
from transformer.housekeeping.work import BudgetSpent, Work

log = structlog.get_logger()

Task = Callable[[Work], None]


@dataclass
class HousekeepingReport:
    """What this process did; empty where another one keeps house, or nothing was left for today."""

    tasks: dict[TaskName, TaskReport] = field(default_factory=dict)
    error: Exception | None = None
    """The first one; the log has them all."""


def housekeep(session: Session, settings: HousekeepingSettings, retire: Retire) -> HousekeepingReport:
    """Does what is left for today (UTC) within the run's budget; may be killed at any point and done again.

    Errors of tasks are in the report. Raises Stopped, and what the store does to the claim itself.
    """
    session.prove_store()
    report = HousekeepingReport()
    house = ClaimedHouse.claim(session.journal, session.clock, session.run.id)
    if house is None:
        return report
    tasks: Mapping[TaskName, Task] = {
        "audit": audit,
        "objects": lambda work: retire_objects(work, settings),
        "rows": lambda work: retire_rows(work, settings, retire),
        "runs": lambda work: retire_runs(work, settings),
        "compaction": compact,
        "pruning": lambda work: prune(work, settings),
    }
    try:
        session.begin()
        for name in house.tasks_left:
            if not session.may_start_more():
                break
            _do(name, tasks[name], session, house, report)
    except ClaimLost:
        log.warning("housekeeping_was_taken_over")
    finally:
        house.release()
    return report


def _do(name: TaskName, task: Task, session: Session, house: ClaimedHouse, report: HousekeepingReport) -> None:
    began, work = session.clock.monotonic(), Work(session)
    error: Exception | None = None
    unfinished = False
    try:
        with session.run.step(f"housekeeping_{name}"):
            try:
                task(work)
            except BudgetSpent:
                unfinished = True
    except Stopped:
        raise
    except PageviewsError as exc:
        error = exc
        log.error("housekeeping_failed", task=name, error_type=type(exc).__name__, error=str(exc))
    except Exception as exc:  # a bug in one task is no reason to skip the others; the caller gets it from the report
        error = exc
        log.exception("housekeeping_failed", task=name, error_type=type(exc).__name__, error=str(exc))
    done = TaskReport(
        ended_at=session.clock.now(),
        seconds=round(session.clock.monotonic() - began, 3),
        outcome="failed" if error else "unfinished" if unfinished else "done",
        counts={key: count for key, count in work.counts.items() if count},
        error=None if error is None else f"{type(error).__name__}: {error}",
    )
    log.info(
        "housekeeping_task_ended", task=name, **done.model_dump(mode="json", exclude={"ended_at"}, exclude_none=True)
    )
    report.tasks[name] = done
    report.error = report.error or error
    house.note(name, done, facts_retired_before=None if error else work.facts_retired_before)
