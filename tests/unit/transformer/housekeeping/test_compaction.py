from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from tests.unit.transformer.housekeeping.house import DAY, House

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable, UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.records.control import Change
from pageviews_core.records.housekeeping import (
    RUNS_BY_DAY,
    CompactedDays,
    IngestedDay,
    RunsDay,
    TransformedDay,
    compacted_day,
    compacted_days,
    markers_by_day,
)
from transformer.housekeeping.compaction import MAX_DAYS, compact
from transformer.housekeeping.work import BudgetSpent, Work

CLOSED = Hour.parse("2026-11-18T00")
"""The day ended 34 h before the clock's 10:15 of the 20th."""
DAY_KEY = "markers-by-day/ingested/2026/11/18.json"


@pytest.fixture
def house() -> House:
    house = House()
    house.clock.step(2 * 3600)  # 12:15: the 18th ended 36 h and 15 min ago
    return house


def test_a_closed_day_becomes_one_object_for_each_stage_with_all_that_the_markers_say(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    house.ingest(CLOSED + 3, 2)
    house.transform(CLOSED + 3, 2)
    compact(work)
    ingested = house.journal.read(DAY_KEY, IngestedDay)
    assert ingested is not None
    day = ingested[0]
    assert (day.day, len(day.records), day.compacted_at) == (date(2026, 11, 18), 25, house.clock.now())
    for marker, original in zip(day.records, day.made_from, strict=True):
        assert original.key == keys.marker("ingested", marker.hour, marker.generation)
        assert original.etag == house.memory.head(original.key).etag
        assert house.memory.get(original.key)[0] == marker.encode()
    transformed = house.journal.read("markers-by-day/transformed/2026/11/18.json", TransformedDay)
    assert transformed is not None
    assert len(transformed[0].records) == 25
    assert len(house.keys("markers/")) == 50
    assert work.counts == {"days_compacted": 2}


def test_a_day_stays_open_for_36_hours(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    house.clock.step(-15 * 60)
    compact(work)
    assert house.keys("markers-by-day/") == []


def test_a_day_with_an_owed_hour_stays_open(house: House, work: Work) -> None:
    house.complete(CLOSED + -24, CLOSED + 24)
    house.ingest(CLOSED + 5, 2)
    compact(work)
    days = [key for key in house.keys("markers-by-day/") if not key.endswith("index.json")]
    assert days == ["markers-by-day/ingested/2026/11/17.json", "markers-by-day/transformed/2026/11/17.json"]


def test_runs_of_a_closed_day_become_one_object_without_their_logs(house: House, work: Work) -> None:
    ids = [house.run(CLOSED.started_at + timedelta(hours=hours)) for hours in range(3)]
    compact(work)
    found = house.journal.read(compacted_day(RUNS_BY_DAY, date(2026, 11, 18)), RunsDay)
    assert found is not None
    assert [record.id for record in found[0].records] == ids
    assert [original.key for original in found[0].made_from] == [keys.run_record(run_id) for run_id in ids]


def test_an_unchanged_day_is_neither_read_nor_written_again(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    house.run(CLOSED.started_at)
    compact(work)
    house.memory.requests.clear()
    compact(work)
    assert house.memory.requests["put"] == 0
    assert house.memory.requests["get"] == 3


def test_a_restated_hour_reopens_its_day(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    compact(work)
    house.ingest(CLOSED, 2)
    house.transform(CLOSED, 2)
    compact(work)
    found = house.journal.read(DAY_KEY, IngestedDay)
    assert found is not None
    assert [marker.generation for marker in found[0].records[:2]] == [1, 2]


def test_a_run_record_that_was_written_again_reopens_its_day(house: House, work: Work) -> None:
    run_id = house.run(CLOSED.started_at)
    compact(work)
    data, _ = house.memory.get(keys.run_record(run_id))
    house.memory.put(keys.run_record(run_id), data.replace(b'"succeeded"', b'"failed"'))
    compact(work)
    found = house.journal.read("runs-by-day/2026/11/18.json", RunsDay)
    assert found is not None
    assert found[0].records[0].state == "failed"


def test_a_lost_index_costs_a_look_but_no_writing_of_days(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    compact(work)
    before = house.memory.head(DAY_KEY)
    house.memory.delete(compacted_days(markers_by_day("ingested")))
    compact(work)
    assert house.memory.head(DAY_KEY) == before
    assert house.journal.read(compacted_days(markers_by_day("ingested")), CompactedDays) is not None


def test_a_lost_day_is_made_again(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 24)
    compact(work)
    house.memory.delete(DAY_KEY)
    compact(work)
    assert house.keys(DAY_KEY) == [DAY_KEY]


def test_days_whose_runs_were_retired_leave_the_index(house: House, work: Work) -> None:
    for day in (0, 1):
        house.run(CLOSED.started_at - day * DAY)
    compact(work)
    for key in house.keys("runs/2026/11/17/"):
        house.memory.delete(key)
    compact(work)
    index = house.journal.read(compacted_days(RUNS_BY_DAY), CompactedDays)
    assert index is not None
    assert index[0].digests.keys() == {"2026-11-18"}


def test_days_and_index_are_announced(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 1)
    compact(work)
    changes = {Change.decode(house.memory.get(key)[0], key).key for key in house.keys(keys.CHANGES)}
    assert {DAY_KEY, compacted_days(markers_by_day("ingested"))} <= changes


def test_a_long_history_is_compacted_a_month_at_a_tick_newest_first(house: House, work: Work) -> None:
    for day in range(MAX_DAYS + 2):
        house.complete(CLOSED + -24 * day, CLOSED + -24 * day + 1)
    with pytest.raises(BudgetSpent):
        compact(work)
    days = house.keys("markers-by-day/ingested/2")
    assert len(days) == MAX_DAYS
    assert days[-1] == DAY_KEY
    compact(work)
    assert len(house.keys("markers-by-day/ingested/2")) == MAX_DAYS + 2


def test_a_marker_of_a_newer_version_is_refused_and_holds_up_no_other_day(house: House, work: Work) -> None:
    house.complete(CLOSED + -24, CLOSED + -23)
    house.complete(CLOSED, CLOSED + 1)
    house.memory.put(keys.marker("ingested", CLOSED, 1), b'{"schema_version": 99}')
    with pytest.raises(UnknownSchemaVersion):
        compact(work)
    assert house.keys("markers-by-day/ingested/2") == ["markers-by-day/ingested/2026/11/17.json"]
    assert len(house.keys("markers-by-day/transformed/2")) == 2


def test_a_day_that_a_newer_version_wrote_is_not_overwritten(house: House, work: Work) -> None:
    house.complete(CLOSED, CLOSED + 1)
    newer = b'{"schema_version": 99}'
    house.memory.put(DAY_KEY, newer)
    with pytest.raises(UnknownSchemaVersion):
        compact(work)
    assert house.memory.get(DAY_KEY)[0] == newer


def test_days_done_before_a_fault_count_and_are_not_done_again(house: House, work: Work) -> None:
    house.complete(CLOSED + -24, CLOSED + -23)
    house.complete(CLOSED, CLOSED + 1)

    def fail(verb: str, key: str) -> None:
        if key == "markers-by-day/ingested/2026/11/17.json" and verb == "put":
            raise StoreUnavailable("gone")

    house.memory.before = fail
    with pytest.raises(StoreUnavailable):
        compact(work)
    index = house.journal.read(compacted_days(markers_by_day("ingested")), CompactedDays)
    assert index is not None
    assert index[0].digests.keys() == {"2026-11-18"}


def test_the_day_ends_at_midnight_utc(house: House, work: Work) -> None:
    assert Hour.containing(house.clock.now()).started_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    house.complete(CLOSED + 23, CLOSED + 25)
    compact(work)
    assert house.keys("markers-by-day/ingested/2") == [DAY_KEY]
