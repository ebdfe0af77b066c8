from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault
from tests.unit.ingestor.fakes import BASE_URL, FakeDumps

from ingestor.looking import look
from ingestor.program import IngestorProgram
from ingestor.settings import IngestorSettings
from ingestor.wikimedia import DumpsClient
from pageviews_core import keys
from pageviews_core.errors import ExitCode, SourceCorrupt, SourceUnavailable
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.session import Session
from pageviews_core.job.tick import run_tick
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.control import Settled, Start, Tick

NEWEST = samples.hour("2026-11-20T09")
A_YEAR_AGO = NEWEST + -365 * 24


class Offline(IngestorProgram):
    """The ingestor with a source that needs no network."""

    def __init__(self, settings: IngestorSettings, clock: FakeClock, dumps: FakeDumps) -> None:
        super().__init__(settings, clock)
        self._dumps = dumps

    def _client(self, session: Session, given_up: Callable[[], bool] = lambda: False) -> DumpsClient:
        return self._dumps


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session(store: InMemoryObjectStore, clock: FakeClock) -> Iterator[Session]:
    with samples.session_on(store, clock) as session:
        yield session


def settings(start: Hour | None = None, end: Hour | None = None) -> IngestorSettings:
    return IngestorSettings(local_data_dir=Path("unused"), contact="ops@example.org", start=start, end=end)


def a_year_of_complete_hours(store: InMemoryObjectStore) -> None:
    for hour in hour_range(A_YEAR_AGO, NEWEST + 1):
        for stage in ("ingested", "transformed"):
            store.put(f"markers/{stage}/{hour.path}/1.json", b"")
    store.put(keys.START, Start(hour=A_YEAR_AGO).encode())
    store.put(keys.SETTLED, Settled(start=A_YEAR_AGO, before=NEWEST + -2).encode())


def test_the_first_look_starts_with_the_newest_published_hour_and_remembers_it(session: Session) -> None:
    dumps = FakeDumps(NEWEST + -2)
    assert look(session, settings(), dumps).start == NEWEST + -2
    dumps.published.add(NEWEST)
    again = look(session, settings(), dumps)
    assert (again.start, again.settled) == (NEWEST + -2, NEWEST + -2)
    stored = session.journal.read(keys.START, Start)
    assert stored is not None
    assert stored[0].hour == NEWEST + -2


def test_a_look_that_only_plans_remembers_nothing(session: Session, store: InMemoryObjectStore) -> None:
    assert look(session, settings(), FakeDumps(NEWEST), remember=False).start == NEWEST
    assert store.all_keys() == ()


def test_without_a_published_file_there_is_no_hour_to_start_from(session: Session) -> None:
    with pytest.raises(SourceUnavailable, match=f"{BASE_URL} .*PAGEVIEWS_START"):
        look(session, settings(), FakeDumps(NEWEST + -24))


def test_of_two_first_looks_the_first_to_remember_decides(session: Session, store: InMemoryObjectStore) -> None:
    def faster(verb: str, key: str) -> None:
        if (verb, key) == ("create", keys.START):
            store.before = no_fault
            store.put(keys.START, Start(hour=NEWEST + -9).encode())

    store.before = faster
    assert look(session, settings(), FakeDumps(NEWEST)).start == NEWEST + -9
    with pytest.raises(ObjectExists):
        store.create(keys.START, b"")


def test_a_start_from_the_settings_asks_neither_the_source_nor_the_store(session: Session) -> None:
    session.journal.put(keys.START, Start(hour=NEWEST))
    dumps = FakeDumps()
    assert look(session, settings(start=NEWEST + -5), dumps).start == NEWEST + -5
    assert dumps.asked == []


def test_a_start_moved_back_makes_the_hours_before_the_watermark_owed(
    session: Session, store: InMemoryObjectStore
) -> None:
    a_year_of_complete_hours(store)
    assert look(session, settings(start=A_YEAR_AGO), FakeDumps()).owed() == []
    moved = look(session, settings(start=A_YEAR_AGO + -3), FakeDumps())
    assert moved.settled == A_YEAR_AGO + -3
    assert [planned.hour for planned in moved.owed()] == [A_YEAR_AGO + -1, A_YEAR_AGO + -3, A_YEAR_AGO + -2]


def test_an_end_in_the_settings_bounds_what_is_owed(session: Session) -> None:
    picture = look(session, settings(start=NEWEST + -5, end=NEWEST + -4), FakeDumps())
    assert [planned.hour for planned in picture.owed()] == [NEWEST + -4, NEWEST + -5]


def test_a_look_after_a_year_lists_only_from_the_watermark_on(session: Session, store: InMemoryObjectStore) -> None:
    a_year_of_complete_hours(store)
    store.requests.clear()
    picture = look(session, settings(), FakeDumps())
    assert dict(picture.ingested) == {NEWEST + -2: 1, NEWEST + -1: 1, NEWEST: 1}
    assert dict(store.requests) == {"get": 2, "list": 2}


@pytest.mark.parametrize("published", [True, False], ids=["complete", "waiting for the newest hour"])
def test_a_tick_with_nothing_to_do_leaves_one_object_in_at_most_ten_requests(
    store: InMemoryObjectStore, clock: FakeClock, published: bool
) -> None:
    a_year_of_complete_hours(store)
    if not published:
        store.delete(keys.marker("ingested", NEWEST, 1))
    for minute in range(0, 60, 10):
        with samples.session_on(store, clock) as session:
            before = set(store.all_keys())
            store.requests.clear()
            assert run_tick(Offline(settings(), clock, FakeDumps()), session) == ExitCode.DONE
            assert sum(store.requests.values()) <= 10, dict(store.requests)
            new = set(store.all_keys()) - before
            assert new == ({keys.tick("ingestor"), keys.RECHECKS} if minute == 0 else set())
            tick = session.journal.read(keys.tick("ingestor"), Tick)
            assert tick is not None
            assert (tick[0].outcome, tick[0].run_id, tick[0].owed) == ("idle", None, 0 if published else 1)
        clock.advance(60 * 5)


def test_a_suspended_tick_asks_the_source_nothing(store: InMemoryObjectStore, clock: FakeClock) -> None:
    store.put(keys.SCHEDULES, b'{"schema_version": 1, "suspended": ["ingestor"]}')
    dumps = FakeDumps(NEWEST)
    with samples.session_on(store, clock) as session:
        assert run_tick(Offline(settings(start=NEWEST), clock, dumps), session) == ExitCode.DONE
    assert dumps.asked == []


def test_a_tick_whose_source_is_down_is_temporary_and_marks_no_more_than_two_hours(
    store: InMemoryObjectStore, clock: FakeClock
) -> None:
    dumps = FakeDumps()
    dumps.errors = {NEWEST + -offset: SourceUnavailable("503") for offset in range(20)}
    with samples.session_on(store, clock) as session:
        code = run_tick(Offline(settings(start=NEWEST + -19), clock, dumps), session)
        assert code == ExitCode.TEMPORARY
        assert set(Failures(session.journal, "ingested").newest()) == {NEWEST, NEWEST + -19}


def test_an_hour_whose_recheck_is_answered_oddly_holds_up_no_other(
    store: InMemoryObjectStore, clock: FakeClock
) -> None:
    for offset in range(4):
        hour = NEWEST + -offset
        store.put(keys.marker("ingested", hour, 1), samples.ingested_marker(hour).encode())
    dumps = FakeDumps()
    dumps.errors = {NEWEST + -2: SourceCorrupt("redirected to another file")}
    program = Offline(settings(start=NEWEST + -3, end=NEWEST), clock, dumps)
    for expected in ([], [-3, -2, -1, 0], []):
        dumps.asked.clear()
        with samples.session_on(store, clock) as session:
            assert run_tick(program, session) == ExitCode.DONE
        assert [hour - NEWEST for hour in dict.fromkeys(dumps.asked)] == expected
        clock.advance(timedelta(hours=1).total_seconds())
