"""What one process of a job works with, opened in one place and closed with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from pageviews_core.clock import Clock
from pageviews_core.job.run import Run
from pageviews_core.job.stopping import Stopping
from pageviews_core.journal import Journal
from pageviews_core.lease import Leases
from pageviews_core.lineage.base import Lineage, NoLineage
from pageviews_core.object_store import prove_conditional_writes
from pageviews_core.object_store.counting import CountingObjectStore
from pageviews_core.records.run import Job, Trigger


@dataclass
class Session:
    store: CountingObjectStore
    journal: Journal
    clock: Clock
    stopping: Stopping
    run: Run
    leases: Leases
    budget: timedelta
    lineage: Lineage
    _proved: bool = False

    def begin(self, *, trigger: Trigger | None = None, request: str | None = None) -> None:
        """There is something to do: from here on the run leaves a record."""
        self.prove_store()
        self.run.begin(trigger=trigger, request=request)

    def prove_store(self) -> None:
        """Once, before the first lease: a store that ignores conditions would let two processes in.

        Raises ConfigurationError. A tick with nothing to do does not pay for it.
        """
        if not self._proved:
            prove_conditional_writes(self.store)
            self._proved = True

    def may_start_more(self) -> bool:
        """False once the run's budget is spent. Raises Stopped if a stop was asked for."""
        self.stopping.check()
        return self.run.elapsed() < self.budget


@contextmanager
def open_session(
    store: CountingObjectStore,
    clock: Clock,
    stopping: Stopping,
    job: Job,
    trigger: Trigger,
    budget: timedelta,
    lineage: Lineage | None = None,
) -> Iterator[Session]:
    lineage = lineage or NoLineage()
    journal = Journal(store)
    run = Run(journal, clock, job, trigger, lineage)
    with Leases(store, clock, holder=run.id) as leases:
        yield Session(store, journal, clock, stopping, run, leases, budget, lineage)
