"""What a job must offer to get the verbs of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.records.run import Job
from pageviews_core.warehouse.base import Warehouse


@dataclass(frozen=True, slots=True)
class PlannedHour:
    """An hour that is owed, or would be if it were due."""

    hour: Hour
    due: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    detail: str


def tried(name: str, subject: str, attempt: Callable[[], None]) -> Check:
    """The check that `attempt` raises none of the pipeline's errors."""
    try:
        attempt()
    except PageviewsError as exc:
        return Check(name, False, str(exc))
    return Check(name, True, subject)


def store_checks(session: Session) -> Iterator[Check]:
    """Does it keep its promises, and how is it set up?"""
    yield tried("object store", session.store.url, session.prove_store)
    yield from (Check("object store", True, remark) for remark in session.store.remarks())


def warehouse_checks(warehouse: Warehouse, engine: str, job: Job, *, create: bool) -> Iterator[Check]:
    """Is it there, and may the job do in it what it has to?"""
    yield tried("warehouse", engine, warehouse.create if create else warehouse.prepare)
    statements: list[str] = []
    yield tried("grants", "none is missing", lambda: statements.extend(warehouse.missing_grants(job)))
    for statement in statements:
        yield Check("grants", False, f"missing; as its owner, run: {statement}")


class Program(Protocol):
    job: Job
    module: str
    """For `python -m`."""
    cron: str
    """When `watch` ticks, in UTC."""
    wakes_on: tuple[str, ...]
    """Prefixes of keys whose change makes `watch` tick at once."""

    def work(self, session: Session, *, suspended: bool) -> int:
        """One tick: does what is owed (only requests while suspended) and returns how many hours were owed and due."""
        ...

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        """Just these hours, now; raises the first hour's error after all were tried."""
        ...

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        """What a tick would do, in its order; changes nothing."""
        ...

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        """Tries everything the job depends on; `create` makes what the warehouse lacks first."""
        ...
