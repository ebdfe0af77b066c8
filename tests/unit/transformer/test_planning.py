from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import ExitCode, TransformFailed
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.session import Session
from pageviews_core.job.tick import run_tick
from pageviews_core.keys import FailureKey
from pageviews_core.records.control import Settled, Start, Tick
from pageviews_core.records.housekeeping import Housekeeping, TaskReport
from pageviews_core.watermark import Watermark
from transformer.housekeeping.claim import TASKS
from transformer.planning import Picture, look
from transformer.program import TransformerProgram
from transformer.settings import TransformerSettings

NOW = FakeClock().now()
NEWEST = samples.hour("2026-11-20T09")
A_YEAR_AGO = NEWEST + -365 * 24


def picture(ingested: dict[int, int], transformed: dict[int, int], failures: dict[int, int] | None = None) -> Picture:
    """Generations by hours before the newest; failures by minutes until they are due."""

    def by_hour(values: dict[int, int]) -> dict[Hour, int]:
        return {NEWEST + offset: value for offset, value in values.items()}

    return Picture(
        now=NOW,
        start=NEWEST + -9,
        floor=NEWEST + -9,
        settled=None,
        settled_etag=None,
        ingested=by_hour(ingested),
        transformed=by_hour(transformed),
        failures={
            hour: FailureKey(hour, 2, NOW + timedelta(minutes=minutes), "failed")
            for hour, minutes in by_hour(failures or {}).items()
        },
    )


def owed(view: Picture) -> list[int]:
    return [planned.hour - NEWEST for planned in view.owed()]


def test_hours_whose_newest_generation_is_not_transformed_are_owed_newest_first_then_oldest() -> None:
    assert owed(picture({-3: 1, -2: 1, -1: 2, 0: 1}, {-2: 1, -1: 1})) == [0, -3, -1]


def test_hours_that_were_never_ingested_are_not_the_transformers() -> None:
    assert owed(picture({}, {0: 1})) == []


def test_a_generation_transformed_while_the_markers_were_listed_is_not_owed() -> None:
    assert owed(picture({0: 1}, {0: 2})) == []


def test_a_failed_hour_is_told_and_left_alone_until_it_is_due() -> None:
    view = picture({-1: 1, 0: 1}, {}, {-1: 5, 0: 0})
    assert [(planned.due, planned.reason) for planned in view.owed()] == [
        (True, "failed 2 times, due again"),
        (False, "failed 2 times, next try 2026-11-20 10:20 UTC"),
    ]


def test_a_person_is_told_which_generation_is_owed() -> None:
    assert [planned.reason for planned in picture({0: 3}, {0: 2}).owed()] == ["generation 3 is not transformed"]


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session(store: InMemoryObjectStore, clock: FakeClock) -> Iterator[Session]:
    with samples.session_on(store, clock, job="transformer") as session:
        yield session


def a_year_of_complete_hours(store: InMemoryObjectStore) -> None:
    for hour in hour_range(A_YEAR_AGO, NEWEST + 1):
        for stage in ("ingested", "transformed"):
            store.put(f"markers/{stage}/{hour.path}/1.json", b"")
    store.put(keys.START, Start(hour=A_YEAR_AGO).encode())
    store.put(keys.SETTLED, Settled(start=A_YEAR_AGO, before=NEWEST + 1).encode())


def house_is_kept(store: InMemoryObjectStore, clock: FakeClock) -> None:
    done = TaskReport(ended_at=clock.now(), seconds=1, outcome="done", counts={})
    store.put(keys.HOUSEKEEPING, Housekeeping(tasks=dict.fromkeys(TASKS, done)).encode())


def test_before_the_first_ingestion_there_is_nothing_to_look_at(session: Session) -> None:
    view = look(session, None)
    assert (view.start, view.floor, view.owed()) == (None, None, [])


def test_the_watermark_bounds_both_listings(session: Session, store: InMemoryObjectStore) -> None:
    a_year_of_complete_hours(store)
    Watermark(session.journal).lower_to(NEWEST + -1)
    store.requests.clear()
    view = look(session, None)
    assert (view.start, view.floor) == (A_YEAR_AGO, NEWEST + -1)
    assert view.ingested == view.transformed == {NEWEST + -1: 1, NEWEST: 1}
    assert view.settled is not None
    assert dict(store.requests) == {"get": 2, "list": 3}


def test_a_start_moved_back_looks_at_what_the_watermark_never_saw(session: Session, store: InMemoryObjectStore) -> None:
    a_year_of_complete_hours(store)
    store.put(keys.marker("ingested", A_YEAR_AGO + -1, 1), b"")
    view = look(session, A_YEAR_AGO + -5)
    assert view.floor == A_YEAR_AGO + -5
    assert owed(view) == [A_YEAR_AGO + -1 - NEWEST]


def test_failures_of_this_stage_alone_are_read(session: Session) -> None:
    for stage in ("ingested", "transformed"):
        Failures(session.journal, stage).add(
            NEWEST + (0 if stage == "ingested" else -1), "failed", TransformFailed("x"), now=NOW, run_id="r",
            before=None, first_pause=timedelta(minutes=10),
        )  # fmt: skip
    assert set(look(session, None).failures) == {NEWEST + -1}


def settings(**changes: Any) -> TransformerSettings:
    return TransformerSettings(local_data_dir=Path("unused"), **changes)


@pytest.mark.parametrize("start", [None, A_YEAR_AGO], ids=["start in the store", "start in the settings"])
def test_a_tick_with_nothing_to_do_leaves_one_object_in_at_most_ten_requests(
    store: InMemoryObjectStore, clock: FakeClock, start: Hour | None
) -> None:
    a_year_of_complete_hours(store)
    house_is_kept(store, clock)
    before = set(store.all_keys())
    store.requests.clear()
    with samples.session_on(store, clock, job="transformer") as session:
        assert run_tick(TransformerProgram(settings(start=start), clock), session) == ExitCode.DONE
        assert sum(store.requests.values()) <= 10, dict(store.requests)
        tick = session.journal.read(keys.tick("transformer"), Tick)
    assert set(store.all_keys()) - before == {keys.tick("transformer")}
    assert tick is not None
    assert (tick[0].outcome, tick[0].owed, tick[0].run_id) == ("idle", 0, None)


def test_a_tick_before_anything_was_ingested_is_idle(store: InMemoryObjectStore, clock: FakeClock) -> None:
    house_is_kept(store, clock)
    with samples.session_on(store, clock, job="transformer") as session:
        assert run_tick(TransformerProgram(settings(), clock), session) == ExitCode.DONE
        tick = session.journal.read(keys.tick("transformer"), Tick)
    assert tick is not None
    assert tick[0].outcome == "idle"
