"""One tick of a job, from the first look to the exit code."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pageviews_core import __version__, keys
from pageviews_core.errors import ExitCode, PageviewsError, Stopped
from pageviews_core.job.program import Program
from pageviews_core.job.session import Session
from pageviews_core.records.control import Schedules, Tick
from pageviews_core.records.run import RunState

log = structlog.get_logger()


def run_tick(program: Program, session: Session) -> ExitCode:
    """Does what is owed, and leaves a tick record whatever came of it."""
    began = session.clock.monotonic()
    suspended, owed = False, 0

    def work() -> None:
        nonlocal suspended, owed
        schedules = session.journal.read(keys.SCHEDULES, Schedules)
        suspended = schedules is not None and program.job in schedules[0].suspended
        owed = program.work(session, suspended=suspended)

    code, detail = guarded(session, work)
    if code in (ExitCode.DONE, ExitCode.STOPPED):
        outcome = "worked" if session.run.began else "suspended" if suspended else "idle"
    else:
        outcome = "failed"
    seconds = round(session.clock.monotonic() - began, 3)
    requests = session.store.total + 1  # with the tick's own
    try:
        session.store.put(
            keys.tick(program.job),
            Tick(
                job=program.job,
                at=session.clock.now(),
                outcome=outcome,
                owed=owed,
                run_id=session.run.id if session.run.began else None,
                detail=detail,
                seconds=seconds,
                store_requests=requests,
                version=__version__,
            ).encode(),
        )
    except PageviewsError as exc:
        log.error("tick_not_recorded", error=str(exc))
        code = code or exc.exit_code
    log.info("tick_finished", outcome=outcome, owed=owed, seconds=seconds, store_requests=requests, exit_code=int(code))
    return code


def guarded(session: Session, work: Callable[[], None]) -> tuple[ExitCode, str | None]:
    """Runs the work and closes the session's run; errors become an exit code and a text."""
    state: RunState
    error: BaseException | None = None
    try:
        work()
        code, state = ExitCode.DONE, "succeeded"
        if any(outcome.outcome == "failed" for outcome in session.run.outcomes()):
            state = "failed"
    except Stopped as exc:
        code, state, error = exc.exit_code, "stopped", exc
        log.warning("stopped", detail=str(exc))
    except PageviewsError as exc:
        code, state, error = exc.exit_code, "failed", exc
        log.error("failed", error_type=type(exc).__name__, error=str(exc), exc_info=code is ExitCode.BUG)
    except Exception as exc:
        code, state, error = ExitCode.BUG, "failed", exc
        log.exception("failed", error_type=type(exc).__name__, error=str(exc))
    try:
        session.run.finish(state, error)
    except PageviewsError as exc:
        log.error("run_not_recorded", error=str(exc))
        code = code or exc.exit_code
    return code, None if error is None else str(error)
