"""A run: one process of one job that had something to do, with its record and its log."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from ulid import ULID

from pageviews_core import __version__, keys
from pageviews_core.clock import Clock
from pageviews_core.hour import Hour
from pageviews_core.job.memory import peak_memory
from pageviews_core.journal import Journal
from pageviews_core.lineage.base import Lineage, NoLineage, task_of_run
from pageviews_core.logging import add_sink, remove_sink
from pageviews_core.records.run import ErrorReport, HourOutcome, Job, RunRecord, RunState, StepTiming, Trigger
from pageviews_core.run_log import RunLog
from pageviews_core.tracing import nanoseconds, tracer

log = structlog.get_logger()


class Run:
    """Has an id from the beginning, but leaves its record and log only once `begin` was called."""

    def __init__(
        self, journal: Journal, clock: Clock, job: Job, trigger: Trigger, lineage: Lineage | None = None
    ) -> None:
        self.id = str(ULID())
        self.task = task_of_run(job, self.id)
        self.span: trace.Span = trace.INVALID_SPAN
        self.job = job
        self.trigger = trigger
        self.request: str | None = None
        self.began = False
        self.bytes_downloaded = 0
        self._journal = journal
        self._clock = clock
        self._lineage = lineage or NoLineage()
        self._log: RunLog | None = None
        self._hours: dict[Hour, HourOutcome] = {}
        self._steps: list[StepTiming] = []
        self.started_at = clock.now()

    def begin(self, *, trigger: Trigger | None = None, request: str | None = None) -> None:
        """Writes the record for the first time; later calls do nothing. A request given here is what the run is for."""
        if self.began:
            return
        self.began = True
        self.trigger = trigger or self.trigger
        self.request = request
        self._log = RunLog(self._journal.store, keys.run(self.id), self._clock)
        add_sink(self._log.write)
        structlog.contextvars.bind_contextvars(run_id=self.id)
        log.info("run_started", job=self.job, trigger=self.trigger, request=request)
        self.span = tracer().start_span(
            self.job,
            Context(),
            attributes={"pageviews.run_id": self.id, "pageviews.trigger": self.trigger},
            start_time=nanoseconds(self.started_at),
        )
        self._lineage.start(self.task, self.started_at)
        self._write("running", None, finished=False)

    @contextmanager
    def step(self, name: str, *hours: Hour) -> Iterator[None]:
        """Times the block, and says in the log, the record and the trace how it went.

        Its span is the child of the current one, or else of the run's.
        """
        started_at, began, succeeded = self._clock.now(), self._clock.monotonic(), False
        current = trace.get_current_span()
        within = current if current.get_span_context().is_valid else self.span
        with (
            tracer().start_as_current_span(name, trace.set_span_in_context(within, Context())),
            structlog.contextvars.bound_contextvars(step=name, **({"hour": str(hours[0])} if len(hours) == 1 else {})),
        ):
            log.debug("step_started")
            try:
                yield
                succeeded = True
            finally:
                seconds = round(self._clock.monotonic() - began, 3)
                self._steps.append(
                    StepTiming(name=name, hours=hours, started_at=started_at, seconds=seconds, succeeded=succeeded)
                )
                log.info("step_finished", seconds=seconds, succeeded=succeeded)
                if self._log is not None:
                    self._log.seal()

    def record(self, outcome: HourOutcome) -> None:
        """What became of one hour."""
        self._hours[outcome.hour] = outcome
        level = log.warning if outcome.outcome in ("failed", "stopped") else log.info
        level("hour_finished", **outcome.model_dump(mode="json", exclude_none=True))
        if self.began:
            self._write("running", None, finished=False)

    def outcomes(self) -> tuple[HourOutcome, ...]:
        return tuple(self._hours.values())

    def finish(self, state: RunState, error: BaseException | None = None) -> None:
        """Writes the record for the last time and closes the log; does nothing for a run that never began."""
        if not self.began:
            return
        log.info("run_finished", state=state, hours=len(self._hours), peak_memory_bytes=peak_memory())
        try:
            self._write(state, error, finished=True)
        finally:
            self._tell(state, error)
            structlog.contextvars.unbind_contextvars("run_id")
            if self._log is not None:
                remove_sink(self._log.write)
                self._log.close()
                self._log = None
                self._journal.announce(f"{keys.run(self.id)}/log")

    def _tell(self, state: RunState, error: BaseException | None) -> None:
        at = self._clock.now()
        if state == "succeeded":
            self._lineage.complete(self.task, at)
        elif state == "stopped":
            self._lineage.abort(self.task, at)
        else:
            failed = [outcome for outcome in self._hours.values() if outcome.outcome == "failed"]
            said = str(error) if error else "; ".join(f"{outcome.hour}: {outcome.detail}" for outcome in failed)
            self._lineage.fail(self.task, at, said)
            self.span.set_status(trace.StatusCode.ERROR, said)
        self.span.end()

    def elapsed(self) -> timedelta:
        return self._clock.now() - self.started_at

    def _write(self, state: RunState, error: BaseException | None, *, finished: bool) -> None:
        record = RunRecord(
            id=self.id,
            job=self.job,
            trigger=self.trigger,
            request=self.request,
            hours=self.outcomes(),
            state=state,
            error=None if error is None else _report(error),
            steps=tuple(self._steps),
            bytes_downloaded=self.bytes_downloaded,
            rows=sum(outcome.rows or 0 for outcome in self._hours.values()),
            peak_memory_bytes=peak_memory(),
            host=platform.node(),
            pod=os.environ.get("POD_NAME"),
            pod_uid=os.environ.get("POD_UID"),
            version=__version__,
            started_at=self.started_at,
            finished_at=self._clock.now() if finished else None,
        )
        self._journal.put(keys.run_record(self.id), record)


def _report(error: BaseException) -> ErrorReport:
    return ErrorReport(
        type=type(error).__name__, message=str(error), traceback="".join(traceback.format_exception(error))
    )
