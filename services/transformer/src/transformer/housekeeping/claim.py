"""Who keeps house, and what is still to be done today: one small object, claimed by compare-and-swap."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal, get_args

import structlog

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.housekeeping import Claim, Housekeeping, TaskReport

TaskName = Literal["audit", "objects", "rows", "runs", "compaction", "pruning"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)
"""In their order: the audit finds owed hours, which retention must leave alone."""

CLAIM_LIFE = timedelta(hours=2)
"""Renewed by each task that ends; after this the process counts as dead."""

log = structlog.get_logger()


class ClaimLost(Exception):
    """Another process took this one for dead, and goes on in its place."""


def is_due(journal: Journal, now: datetime) -> bool:
    """Whether a task is left for today (UTC), and nobody else is at it; one request.

    Raises UnknownSchemaVersion.
    """
    found = journal.read(keys.HOUSEKEEPING, Housekeeping)
    return found is None or _is_open(found[0], now)


def _is_open(record: Housekeeping, now: datetime) -> bool:
    held = record.claim is not None and abs(now - record.claim.at) < CLAIM_LIFE
    return not held and bool(_tasks_left(record, now))


def _tasks_left(record: Housekeeping, now: datetime) -> tuple[TaskName, ...]:
    """A task that failed had its turn for today; one that was not finished has not."""

    def ended_today(task: TaskName) -> bool:
        report = record.tasks.get(task)
        return report is not None and report.outcome != "unfinished" and report.ended_at.date() == now.date()

    return tuple(task for task in TASKS if not ended_today(task))


class ClaimedHouse:
    """From `claim` until `release`. Each write proves that the claim is still ours."""

    def __init__(self, journal: Journal, clock: Clock, run_id: str, record: Housekeeping, etag: str | None) -> None:
        self._journal = journal
        self._clock = clock
        self._run_id = run_id
        self._record = record
        self._etag = etag

    @classmethod
    def claim(cls, journal: Journal, clock: Clock, run_id: str) -> ClaimedHouse | None:
        """None where another process was faster, or nothing is left to do."""
        found = journal.read(keys.HOUSEKEEPING, Housekeeping)
        record, etag = found or (Housekeeping(), None)
        if not _is_open(record, clock.now()):
            return None
        house = cls(journal, clock, run_id, record, etag)
        try:
            house._write(record.model_copy(update={"claim": house._claim()}))
        except ClaimLost:
            return None
        return house

    @property
    def tasks_left(self) -> tuple[TaskName, ...]:
        return _tasks_left(self._record, self._clock.now())

    def note(self, task: TaskName, report: TaskReport, *, facts_retired_before: Hour | None = None) -> None:
        """What became of a task. Raises ClaimLost."""
        self._write(
            self._record.model_copy(
                update={
                    "claim": self._claim(),
                    "tasks": {**self._record.tasks, task: report},
                    "facts_retired_before": facts_retired_before or self._record.facts_retired_before,
                }
            )
        )

    def release(self) -> None:
        """Never raises what the store does: the claim ends by itself."""
        with suppress(ClaimLost):
            try:
                self._write(self._record.model_copy(update={"claim": None}))
            except PageviewsError as exc:
                log.warning("housekeeping_claim_not_released", error=str(exc))

    def _claim(self) -> Claim:
        return Claim(run_id=self._run_id, at=self._clock.now())

    def _write(self, record: Housekeeping) -> None:
        store, body = self._journal.store, record.encode()
        try:
            if self._etag is None:
                self._etag = store.create(keys.HOUSEKEEPING, body)
            else:
                self._etag = store.replace(keys.HOUSEKEEPING, body, etag=self._etag)
        except (ObjectChanged, ObjectExists) as exc:
            raise ClaimLost from exc
        self._record = record
        self._journal.announce(keys.HOUSEKEEPING)
