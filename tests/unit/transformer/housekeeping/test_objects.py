from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.transformer.housekeeping.house import DAY, NEWEST, NOW, House, KeepAll

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.records.control import Change
from transformer.housekeeping.objects import retire_objects
from transformer.housekeeping.work import BudgetSpent, Work

OLD = NEWEST + -24 * 40
YOUNG = NEWEST + -24 * 3


@pytest.fixture(autouse=True)
def _newest(house: House) -> None:
    house.complete(NEWEST, NEWEST + 1)


def _hours_with(house: House, prefix: str) -> list[Hour]:
    return sorted({Hour.from_path(key[len(prefix) : len(prefix) + 13]) for key in house.keys(prefix)})


def test_prefixes_are_those_of_the_keys() -> None:
    assert keys.raw(NEWEST, "f", "0" * 64).startswith(keys.RAW)
    assert keys.landing(NEWEST, "r").startswith(keys.LANDING)
    assert keys.quarantine(NEWEST, "r").startswith(keys.QUARANTINE)
    assert keys.evidence(NEWEST, "0" * 64).startswith(keys.QUARANTINE)


def test_each_kind_goes_after_its_own_retention_to_the_hour(house: House, work: Work) -> None:
    house.complete(NEWEST + -24 * 4, NEWEST)
    for hours in (71, 72, 73):
        house.memory.put(keys.quarantine(NEWEST + -hours, "run"), b"")
    retire_objects(work, KeepAll(retain_raw_objects=3 * DAY, retain_landing=DAY, retain_quarantine=3 * DAY))
    assert _hours_with(house, keys.RAW)[0] == NEWEST + -72
    # The last day's attempts are not a day old by the clock either, so all that is left of landing is young.
    assert _hours_with(house, keys.LANDING)[0] == NEWEST + -24
    assert _hours_with(house, keys.QUARANTINE) == [NEWEST + -72, NEWEST + -71]
    assert work.counts == {"landing_objects": 72, "raw_objects": 24, "quarantine_objects": 1}


def test_deletions_are_announced(house: House, work: Work) -> None:
    house.complete(OLD, OLD + 1)
    gone = house.keys(keys.RAW + OLD.path) + house.keys(keys.LANDING + OLD.path)
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=DAY))
    changes = [Change.decode(house.memory.get(key)[0], key).key for key in house.keys(keys.CHANGES)]
    assert sorted(changes) == sorted(gone)


@pytest.mark.parametrize("generation", [1, 2])
def test_an_hour_that_is_not_complete_keeps_its_objects(house: House, work: Work, generation: int) -> None:
    house.ingest(OLD)
    if generation == 2:
        house.transform(OLD)
        house.ingest(OLD, 2, attempted_at=NOW - 10 * DAY)
    before = house.keys("")
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=DAY))
    assert house.keys("") == before
    assert work.counts["hours_kept_until_complete"] == 2


def test_an_hour_that_never_got_a_marker_keeps_its_raw_object(house: House, work: Work) -> None:
    key = keys.raw(OLD, "file.gz", "a" * 64)
    house.memory.put(key, b"")
    retire_objects(work, KeepAll(retain_raw_objects=DAY))
    assert house.keys(keys.RAW + OLD.path) == [key]


def test_superseded_generations_go_with_the_hour(house: House, work: Work) -> None:
    house.complete(OLD, OLD + 1)
    house.ingest(OLD, 2, attempted_at=NOW - 10 * DAY)
    house.transform(OLD, 2)
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=DAY))
    assert house.keys(keys.RAW + OLD.path) + house.keys(keys.LANDING + OLD.path) == []


@pytest.mark.parametrize(("first", "other"), [(keys.RAW, keys.LANDING), (keys.LANDING, keys.RAW)])
def test_the_last_of_the_two_stays_until_both_retentions_are_over(
    house: House, work: Work, first: str, other: str
) -> None:
    house.complete(YOUNG, YOUNG + 1)
    [lost] = house.keys(other + YOUNG.path)
    house.memory.delete(lost)
    short = KeepAll(retain_raw_objects=DAY) if first == keys.RAW else KeepAll(retain_landing=DAY)
    retire_objects(work, short)
    assert len(house.keys(first + YOUNG.path)) == 1
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=2 * DAY))
    assert house.keys(first + YOUNG.path) == []


def test_one_of_the_two_goes_after_its_own_retention_while_the_other_is_there(house: House, work: Work) -> None:
    house.complete(YOUNG, YOUNG + 1)
    retire_objects(work, KeepAll(retain_raw_objects=DAY))
    assert house.keys(keys.RAW + YOUNG.path) == []
    assert len(house.keys(keys.LANDING + YOUNG.path)) == 1


def test_an_abandoned_attempt_goes_after_a_day_and_the_marked_one_stays(house: House, work: Work) -> None:
    marker = house.ingest(YOUNG)
    never_marked = YOUNG + 1
    old = [house.attempt(YOUNG, NOW - 2 * DAY), house.attempt(never_marked, NOW - 2 * DAY)]
    recent = [house.attempt(YOUNG, NOW - DAY / 2), house.attempt(never_marked, NOW - DAY / 2)]
    retire_objects(work, KeepAll())
    left = house.keys(keys.LANDING)
    assert marker.objects.landing in left
    assert set(recent) <= set(left)
    assert not set(old) & set(left)
    assert work.counts == {"abandoned_landing_objects": 2}


def test_a_run_that_began_long_ago_may_still_be_at_work_on_what_it_landed_just_now(house: House, work: Work) -> None:
    key = house.attempt(OLD, NOW - 2 * DAY)
    house.memory.put(key, b"again, just now")
    retire_objects(work, KeepAll())
    assert house.keys(keys.LANDING + OLD.path) == [key]


def test_a_late_load_of_an_old_hour_is_left_alone_for_a_day(house: House, work: Work) -> None:
    marker = house.ingest(OLD, attempted_at=NOW - timedelta(hours=1))
    house.transform(OLD)
    retire_objects(work, KeepAll(retain_landing=DAY))
    assert house.keys(keys.LANDING + OLD.path) == [marker.objects.landing]


def test_other_peoples_objects_are_left_alone(house: House, work: Work) -> None:
    foreign = [f"{keys.RAW}README", f"{keys.LANDING}{OLD.path}/mine/x.parquet", f"{keys.QUARANTINE}notes.txt"]
    for key in foreign:
        house.memory.put(key, b"")
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=DAY, retain_quarantine=DAY))
    assert set(foreign) <= set(house.keys(""))


def test_a_stale_pipeline_loses_nothing_to_the_wall_clock(house: House, work: Work) -> None:
    before = house.keys("")
    house.clock.advance(400 * DAY.total_seconds())
    work.session.budget = 1000 * DAY
    retire_objects(work, KeepAll(retain_raw_objects=DAY, retain_landing=DAY, retain_quarantine=DAY))
    assert house.keys("") == before


def test_a_marker_of_a_newer_version_is_refused_and_its_hour_kept(house: House, work: Work) -> None:
    house.ingest(YOUNG)
    house.attempt(YOUNG, NOW - 2 * DAY)
    house.memory.put(keys.marker("ingested", YOUNG, 1), b'{"schema_version": 99}')
    with pytest.raises(UnknownSchemaVersion):
        retire_objects(work, KeepAll())
    assert len(house.keys(keys.LANDING + YOUNG.path)) == 2


def test_it_stops_when_the_budget_is_spent_and_goes_on_where_it_was(house: House, work: Work) -> None:
    house.complete(OLD, OLD + 3)
    settings = KeepAll(retain_raw_objects=DAY, retain_landing=DAY)

    def spend(verb: str, key: str) -> None:
        if verb == "delete":
            house.clock.advance(15 * 60)

    house.memory.after = spend
    with pytest.raises(BudgetSpent):
        retire_objects(work, settings)
    assert len(house.keys(keys.LANDING)) == 2
    with house.session(budget=10 * DAY) as session:
        retire_objects(Work(session), settings)
    assert _hours_with(house, keys.LANDING) == _hours_with(house, keys.RAW) == [NEWEST]
