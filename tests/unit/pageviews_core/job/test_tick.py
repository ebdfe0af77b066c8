from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import (
    ConfigurationError,
    ExitCode,
    HourError,
    LeaseLost,
    PageviewsError,
    SourceUnavailable,
    Stopped,
    StoreUnavailable,
    UnknownSchemaVersion,
    WarehouseUnavailable,
)
from pageviews_core.hour import Hour
from pageviews_core.job.program import Check, PlannedHour, Program
from pageviews_core.job.session import Session
from pageviews_core.job.tick import guarded, run_tick
from pageviews_core.logging import add_sink, remove_sink
from pageviews_core.records.control import Schedules, Tick
from pageviews_core.records.run import HourOutcome, Job, RunRecord

HOUR = samples.hour()
ERRORS = [
    (SourceUnavailable("down"), ExitCode.TEMPORARY), (StoreUnavailable("down"), ExitCode.TEMPORARY),
    (WarehouseUnavailable("busy"), ExitCode.TEMPORARY), (HourError("bad"), ExitCode.TEMPORARY),
    (LeaseLost("late"), ExitCode.TEMPORARY), (ConfigurationError("wrong"), ExitCode.CONFIGURATION),
    (UnknownSchemaVersion("newer"), ExitCode.CONFIGURATION), (PageviewsError("odd"), ExitCode.BUG),
    (ZeroDivisionError("by nothing"), ExitCode.BUG), (Stopped("asked"), ExitCode.STOPPED),
]  # fmt: skip
every_error = pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__)


class Toy:
    """A program whose work is a function."""

    job: Job = "ingestor"
    module = "toy"
    cron = "* * * * *"
    wakes_on: tuple[str, ...] = ()

    def __init__(self, work: Callable[[Session, bool], int]) -> None:
        self._work = work

    def work(self, session: Session, *, suspended: bool) -> int:
        return self._work(session, suspended)

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        raise NotImplementedError

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        raise NotImplementedError

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        raise NotImplementedError


def doing(error: Exception | None = None, *, begins: bool = False, owed: int = 0) -> Program:
    def work(session: Session, suspended: bool) -> int:
        if begins:
            session.begin()
        if error is not None:
            raise error
        return owed

    return Toy(work)


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def session(store: InMemoryObjectStore) -> Iterator[Session]:
    with samples.session_on(store, FakeClock()) as session:
        yield session


def tick_in(session: Session) -> Tick:
    found = session.journal.read(keys.tick("ingestor"), Tick)
    assert found is not None
    return found[0]


def run_in(session: Session) -> RunRecord | None:
    found = session.journal.read(keys.run_record(session.run.id), RunRecord)
    return found and found[0]


def test_a_tick_that_finds_nothing_leaves_only_the_tick(session: Session, store: InMemoryObjectStore) -> None:
    assert run_tick(doing(), session) == ExitCode.DONE
    assert store.all_keys() == (keys.tick("ingestor"),)
    tick = tick_in(session)
    assert (tick.outcome, tick.owed, tick.run_id, tick.detail) == ("idle", 0, None, None)


def test_a_tick_tells_the_requests_that_it_made_and_its_own(session: Session, store: InMemoryObjectStore) -> None:
    run_tick(doing(), session)
    assert sum(store.requests.values()) == tick_in(session).store_requests == 2


def test_a_tick_that_worked_leaves_its_run(session: Session) -> None:
    assert run_tick(doing(begins=True, owed=3), session) == ExitCode.DONE
    tick, run = tick_in(session), run_in(session)
    assert run is not None
    assert (tick.outcome, tick.owed, tick.run_id) == ("worked", 3, session.run.id)
    assert (run.state, run.finished_at, run.error) == ("succeeded", session.clock.now(), None)


@every_error
@pytest.mark.parametrize("begins", [True, False])
def test_every_error_ends_in_its_exit_code_and_is_told(
    session: Session, error: Exception, code: ExitCode, begins: bool
) -> None:
    assert run_tick(doing(error, begins=begins), session) == code
    tick, run = tick_in(session), run_in(session)
    assert tick.detail == str(error)
    if code is not ExitCode.STOPPED:
        assert tick.outcome == "failed"
    assert (run is not None) is begins
    if run is not None:
        assert run.state == ("stopped" if code is ExitCode.STOPPED else "failed")
        assert run.error is not None
        assert (run.error.type, run.error.message) == (type(error).__name__, str(error))
        assert type(error).__name__ in run.error.traceback


def test_a_failed_hour_makes_a_failed_run_but_no_failed_tick(session: Session) -> None:
    def work(session: Session, suspended: bool) -> int:
        session.begin()
        session.run.record(HourOutcome(hour=HOUR, outcome="failed", detail="truncated"))
        session.run.record(HourOutcome(hour=HOUR + 1, outcome="done", rows=5))
        return 2

    assert run_tick(Toy(work), session) == ExitCode.DONE
    run = run_in(session)
    assert run is not None
    assert (run.state, run.rows, len(run.hours)) == ("failed", 5, 2)


@pytest.mark.parametrize(("suspended", "expected"), [((), False), (("transformer",), False), (("ingestor",), True)])
def test_only_a_job_whose_schedule_is_off_is_suspended(
    session: Session, suspended: tuple[Job, ...], expected: bool
) -> None:
    session.journal.put(keys.SCHEDULES, Schedules(suspended=suspended))
    seen: list[bool] = []

    def work(session: Session, suspended: bool) -> int:
        seen.append(suspended)
        return 0

    run_tick(Toy(work), session)
    assert seen == [expected]
    assert tick_in(session).outcome == ("suspended" if expected else "idle")


def test_schedules_of_a_newer_version_stop_the_tick(session: Session, store: InMemoryObjectStore) -> None:
    store.put(keys.SCHEDULES, b'{"schema_version": 2}')
    assert run_tick(doing(), session) == ExitCode.CONFIGURATION
    assert "control/schedules.json" in str(tick_in(session).detail)


class _Fails:
    """A store that stops answering."""

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = prefixes

    def __call__(self, verb: str, key: str) -> None:
        if verb in ("put", "create", "replace") and key.startswith(self._prefixes):
            raise StoreUnavailable(f"cannot {verb} {key}")


@pytest.mark.parametrize("prefix", ["runs/", "control/ticks/", "changes/"])
def test_a_store_that_fails_at_the_end_is_an_exit_code_and_not_a_crash(
    session: Session, store: InMemoryObjectStore, prefix: str
) -> None:
    def work(session: Session, suspended: bool) -> int:
        session.begin()
        store.before = _Fails(prefix)
        return 1

    assert run_tick(Toy(work), session) == ExitCode.TEMPORARY


def test_the_works_own_error_counts_more_than_a_store_that_fails_at_the_end(
    session: Session, store: InMemoryObjectStore
) -> None:
    def work(session: Session, suspended: bool) -> int:
        session.begin()
        store.before = _Fails("")
        raise ConfigurationError("wrong")

    assert run_tick(Toy(work), session) == ExitCode.CONFIGURATION


def test_a_run_whose_record_cannot_be_written_still_gives_back_the_log(
    session: Session, store: InMemoryObjectStore
) -> None:
    def work() -> None:
        session.begin()
        store.before = lambda verb, key: _Fails("runs/")(verb, key) if key.endswith("run.json") else None

    code, _ = guarded(session, work)
    assert code == ExitCode.TEMPORARY
    assert any(key.startswith(f"{keys.run(session.run.id)}/log") for key in store.all_keys())


def test_the_runs_log_holds_the_error(session: Session, store: InMemoryObjectStore) -> None:
    lines: list[bytes] = []
    add_sink(lines.append)
    try:
        guarded(session, lambda: session.begin() or (_ for _ in ()).throw(SourceUnavailable("down")))  # type: ignore[func-returns-value]
    finally:
        remove_sink(lines.append)
    events = [json.loads(line) for line in lines]
    failed: dict[str, Any] = next(event for event in events if event["event"] == "failed")
    assert (failed["error_type"], failed["error"]) == ("SourceUnavailable", "down")
    assert events[-1]["event"] == "run_finished"
