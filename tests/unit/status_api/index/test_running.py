"""The index over a store, refreshed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.keys import FailureKey
from pageviews_core.lease import LeaseRecord, lease_key
from pageviews_core.records.control import Schedules, Start, Tick
from pageviews_core.records.failure import Failure
from pageviews_core.records.marker import ControlTotals
from pageviews_core.records.note import Note
from pageviews_core.records.run import HourOutcome, RunRecord
from status_api.index.running import RunningIndex
from status_api.settings import StatusSettings

NOW = samples.AT
NEWEST = Hour.newest_ended(NOW)
RUN = "01JD4Q2Z5V0000000000000001"


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def journal(store: InMemoryObjectStore) -> Journal:
    return Journal(store)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def index(store: InMemoryObjectStore, clock: FakeClock) -> Iterator[RunningIndex]:
    with RunningIndex(store, StatusSettings(), clock) as index:
        yield index


def set_clock(clock: FakeClock, at: datetime) -> None:
    clock.step((at - clock.now()).total_seconds())


def one(index: RunningIndex, sql: str, *parameters: object) -> dict[str, Any]:
    (row,) = index.rows(sql, *parameters)
    return dict(row)


def hour_row(index: RunningIndex, hour: Hour) -> dict[str, Any]:
    return one(index, "select * from hours where hour = ?", str(hour))


def complete(journal: Journal, hour: Hour, *, views: int = 30) -> None:
    journal.create(keys.marker("ingested", hour, 1), samples.ingested_marker(hour, views=views))
    journal.create(keys.marker("transformed", hour, 1), samples.transformed_marker(hour, views=views))


def run_record(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "id": RUN, "job": "ingestor", "trigger": "schedule", "request": None,
        "hours": (HourOutcome(hour=NEWEST, outcome="done", generation=1),), "state": "succeeded", "error": None,
        "steps": (), "bytes_downloaded": 1, "rows": 2, "peak_memory_bytes": 3, "host": "h", "pod": None,
        "pod_uid": None, "version": "0.1.0", "started_at": NOW - timedelta(minutes=9), "finished_at": NOW,
    }  # fmt: skip
    return RunRecord(**{**values, **changes})


def failure(hour: Hour, kind: Any = "failed", attempt: int = 1) -> tuple[str, Failure]:
    key = FailureKey(hour, attempt, NOW + timedelta(minutes=10), kind)
    record = Failure(
        stage="ingested", hour=hour, kind=kind, attempt=attempt, failing_since=NOW, at=NOW, next_try_at=key.next_try_at,
        error_type="SourceCorrupt", error="not gzip", evidence=None, run_id=RUN,
    )  # fmt: skip
    return keys.failure("ingested", key), record


def test_an_empty_store_is_an_empty_index_that_is_filled(index: RunningIndex) -> None:
    index.refresh()
    assert index.filling.complete
    assert index.store.up
    assert index.rows("select * from hours") == []


def test_hours_are_expected_from_the_start_on_and_have_a_state_each(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.START, Start(hour=NEWEST + -9))
    complete(journal, NEWEST + -9)
    journal.create(*failure(NEWEST + -8))
    journal.create(*failure(NEWEST + -7, "unpublished"))
    index.refresh()
    states = {row["hour"]: row["state"] for row in index.rows("select hour, state from hours order by hour")}
    assert list(states.values()) == ["complete", "failed", "late", "missing", *["waiting"] * 6]
    assert {row["state"]: row["count"] for row in index.rows("select * from hour_states")} == {
        "complete": 1, "failed": 1, "late": 1, "missing": 1, "waiting": 6,
    }  # fmt: skip
    failed = hour_row(index, NEWEST + -8)
    assert (failed["error_type"], failed["attempt"], failed["failed_run"]) == ("SourceCorrupt", 1, RUN)
    assert one(index, "select value from meta where name = 'newest_complete_hour'")["value"] == str(NEWEST + -9)


def test_a_change_is_seen_by_the_feed_and_a_deletion_too(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    key, record = failure(NEWEST)
    journal.create(key, record)
    index.refresh()
    assert hour_row(index, NEWEST)["state"] == "failed"
    version = index.version
    index.refresh()
    assert index.version == version
    complete(journal, NEWEST)
    journal.delete(key)
    index.refresh()
    assert hour_row(index, NEWEST)["state"] == "complete"
    assert hour_row(index, NEWEST)["error"] is None
    assert index.version > version


def test_what_the_feed_did_not_tell_is_found_by_the_next_reconciliation(
    index: RunningIndex, journal: Journal, store: InMemoryObjectStore, clock: FakeClock
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    index.refresh()
    key = keys.marker("ingested", NEWEST, 1)
    store.put(key, samples.ingested_marker(NEWEST).encode())
    index.refresh()
    assert hour_row(index, NEWEST)["ingested_generation"] is None
    clock.advance(16 * 60)
    index.refresh()
    assert hour_row(index, NEWEST)["ingested_generation"] == 1
    store.delete(key)
    clock.advance(16 * 60)
    index.refresh()
    assert hour_row(index, NEWEST)["ingested_generation"] is None


def test_the_newest_generation_counts_whatever_comes_last(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    journal.create(keys.marker("ingested", NEWEST, 2), samples.ingested_marker(NEWEST, 2, rows=20))
    journal.create(keys.marker("transformed", NEWEST, 1), samples.transformed_marker(NEWEST))
    index.refresh()
    journal.create(keys.marker("ingested", NEWEST, 1), samples.ingested_marker(NEWEST, 1))
    index.refresh()
    row = hour_row(index, NEWEST)
    assert (row["ingested_generation"], row["rows"], row["state"]) == (2, 20, "ingested")
    assert row["warnings"] == "restatement_pending"


def test_views_are_compared_with_the_same_hour_a_week_before(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.START, Start(hour=NEWEST + -168))
    complete(journal, NEWEST, views=300)
    index.refresh()
    assert hour_row(index, NEWEST)["warnings"] == ""
    complete(journal, NEWEST + -168, views=100)
    index.refresh()
    assert hour_row(index, NEWEST)["warnings"] == "views_unusual"
    assert one(index, "select * from hour_warnings") == {"warning": "views_unusual", "count": 1}


def test_warnings_of_a_marker(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    marker = samples.ingested_marker(NEWEST)
    differs = marker.model_copy(
        update={
            "rows": marker.rows.model_copy(update={"rejected": 2}),
            "control": ControlTotals(state="differs", differing_domains=3),
        }
    )
    journal.create(keys.marker("ingested", NEWEST, 1), differs)
    index.refresh()
    assert hour_row(index, NEWEST)["warnings"] == "rejected_lines control_differs"


def test_an_hour_with_an_unexpired_lease_is_running_and_no_longer_when_it_is_released(
    index: RunningIndex, journal: Journal, store: InMemoryObjectStore
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    journal.put(keys.run_record(RUN), run_record(state="running", finished_at=None, hours=()))
    lease = LeaseRecord(
        stage="ingested", hour=NEWEST, holder=RUN, host="h", pid=1, fence=1, acquired_at=NOW,
        expires_at=NOW + timedelta(minutes=1),
    )  # fmt: skip
    store.put(lease_key("ingested", NEWEST), lease.encode())
    index.refresh()
    assert (hour_row(index, NEWEST)["state"], hour_row(index, NEWEST)["running_run"]) == ("running", RUN)
    store.put(lease_key("ingested", NEWEST), lease.model_copy(update={"expires_at": None}).encode())
    index.refresh()
    assert (hour_row(index, NEWEST)["state"], hour_row(index, NEWEST)["running_run"]) == ("waiting", None)


def test_a_run_that_never_ended_is_lost_once_its_signs_of_life_are_old(
    index: RunningIndex, journal: Journal, clock: FakeClock, store: InMemoryObjectStore
) -> None:
    journal.put(keys.run_record(RUN), run_record(state="running", finished_at=None))
    written_at = store.head(keys.run_record(RUN)).modified_at
    set_clock(clock, written_at + timedelta(minutes=4))
    index.refresh()
    assert one(index, "select state from runs")["state"] == "running"
    set_clock(clock, written_at + timedelta(minutes=6))
    index.refresh()
    assert one(index, "select state from runs")["state"] == "lost"
    assert one(index, "select state, count from run_counts") == {"state": "lost", "count": 1}


def test_runs_are_rows_with_their_hours_and_counts(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.run_record(RUN), run_record())
    index.refresh()
    row = one(index, "select * from runs")
    assert (row["id"], row["seconds"], row["first_hour"], row["failed_hours"]) == (RUN, 540, str(NEWEST), 0)
    assert one(index, "select * from run_hours")["outcome"] == "done"
    journal.delete(keys.run_record(RUN))
    index.refresh()
    assert index.rows("select * from runs") == index.rows("select * from run_hours") == []
    assert index.rows("select * from run_counts") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schema_version": 2}', b'{"schema_version": 1, "id": 7}'])
def test_an_object_that_cannot_be_read_is_told_and_stops_nothing(
    index: RunningIndex, journal: Journal, store: InMemoryObjectStore, body: bytes
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    for key in (keys.run_record(RUN), keys.marker("ingested", NEWEST, 1), "failures/ingested/stray.json"):
        store.put(key, body)
        journal.announce(key)
    journal.put(keys.tick("ingestor"), tick())
    index.refresh()
    assert {row["key"] for row in index.rows("select key from unreadable")} == {
        keys.run_record(RUN), keys.marker("ingested", NEWEST, 1), "failures/ingested/stray.json",
    }  # fmt: skip
    assert one(index, "select outcome from ticks")["outcome"] == "idle"
    journal.put(keys.run_record(RUN), run_record())
    index.refresh()
    assert keys.run_record(RUN) not in {row["key"] for row in index.rows("select key from unreadable")}
    assert one(index, "select id from runs")["id"] == RUN


def test_a_store_that_is_down_is_said_and_what_was_known_stays(
    index: RunningIndex, journal: Journal, store: InMemoryObjectStore
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    index.refresh()

    def down(verb: str, key: str) -> None:
        raise StoreUnavailable("no route")

    before, store.before = store.before, down
    version = index.version
    index.refresh()
    assert (index.store.up, index.store.error) == (False, "StoreUnavailable")
    assert hour_row(index, NEWEST)["state"] == "waiting"
    assert index.version == version + 1
    store.before = before
    index.refresh()
    assert index.store.up


def test_a_store_that_is_down_from_the_beginning_is_read_when_it_comes_back(
    index: RunningIndex, journal: Journal, store: InMemoryObjectStore
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))

    def down(verb: str, key: str) -> None:
        raise StoreUnavailable("no route")

    before, store.before = store.before, down
    index.refresh()
    assert not index.filling.complete
    store.before = before
    index.refresh()
    assert index.filling.complete
    assert hour_row(index, NEWEST)["state"] == "waiting"


def test_notes_acknowledge_until_their_end(index: RunningIndex, journal: Journal, clock: FakeClock) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    until = NOW + timedelta(hours=2)
    note = Note(id=RUN, hour=NEWEST, who="w", reason="r", created_at=NOW, until=until)
    journal.create(keys.note(NEWEST, RUN), note)
    index.refresh()
    assert hour_row(index, NEWEST)["acknowledged_until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    set_clock(clock, until + timedelta(seconds=1))
    index.refresh()
    assert hour_row(index, NEWEST)["acknowledged_until"] is None


def test_time_alone_makes_a_waiting_hour_missing_and_a_new_one_expected(
    index: RunningIndex, journal: Journal, clock: FakeClock
) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    index.refresh()
    set_clock(clock, NEWEST.ended_at + timedelta(hours=7))
    index.refresh()
    assert hour_row(index, NEWEST)["state"] == "missing"
    assert one(index, "select count(*) as n from hours")["n"] == 8


def test_schedules_and_ticks(index: RunningIndex, journal: Journal) -> None:
    journal.put(keys.SCHEDULES, Schedules(suspended=("transformer",)))
    journal.put(keys.tick("transformer"), tick().model_copy(update={"job": "transformer"}))
    index.refresh()
    assert one(index, "select job from suspended")["job"] == "transformer"
    assert one(index, "select job, at from ticks") == {"job": "transformer", "at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}


def tick() -> Tick:
    return Tick(
        job="ingestor", at=NOW, outcome="idle", owed=0, run_id=None, seconds=0.1, store_requests=8, version="0.1.0"
    )


def test_a_tick_is_seen_though_no_feed_tells_it(index: RunningIndex, journal: Journal) -> None:
    index.refresh()
    for minute in (1, 2):
        newer = tick().model_copy(update={"at": NOW + timedelta(minutes=minute)})
        journal.store.put(keys.tick("ingestor"), newer.encode())
        index.refresh()
        [row] = index.rows("select at from ticks")
        assert row["at"] == f"{newer.at:%Y-%m-%dT%H:%M:%SZ}"
    before = index.version
    index.refresh()
    assert index.version == before


def test_a_clock_that_jumps_back_breaks_nothing(index: RunningIndex, journal: Journal, clock: FakeClock) -> None:
    journal.put(keys.START, Start(hour=NEWEST))
    index.refresh()
    set_clock(clock, datetime(2020, 1, 1, tzinfo=UTC))
    index.refresh()
    assert index.store.up


def test_an_old_hour_is_not_called_missing_before_it_was_read(
    index: RunningIndex, store: InMemoryObjectStore, journal: Journal
) -> None:
    old, unloaded, recent = NEWEST + -1_000, NEWEST + -999, NEWEST + -700
    journal.put(keys.START, Start(hour=old))
    complete(journal, old)
    seen = {}

    def look(verb: str, key: str) -> None:
        if (verb, key) == ("get", keys.marker("ingested", old, 1)):
            seen.update({hour: hour_row(index, hour)["state"] for hour in (old, unloaded, recent)})

    store.before = look
    index.refresh()
    assert seen == {old: "waiting", unloaded: "waiting", recent: "missing"}
    assert [hour_row(index, hour)["state"] for hour in (old, unloaded, recent)] == ["complete", "missing", "missing"]
