from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transformer.housekeeping.house import NEWEST, NOW, House

from pageviews_core.hour import Hour
from transformer.housekeeping.inventory import Inventory


def test_an_hour_is_complete_once_its_newest_generation_is_transformed(house: House) -> None:
    house.complete(NEWEST + -2, NEWEST)
    house.ingest(NEWEST + -1, 2)
    house.ingest(NEWEST)
    inventory = Inventory.take(house.memory)
    assert inventory.is_complete(NEWEST + -2)
    assert not inventory.is_complete(NEWEST + -3)
    assert inventory.owed() == [NEWEST + -1, NEWEST]


def test_age_counts_from_the_newest_ingested_hour_and_not_from_the_wall_clock() -> None:
    stale = Hour.parse("2025-01-01T00")
    assert Inventory({stale: 1}, {}).first_kept(timedelta(days=2), NOW) == Hour.parse("2024-12-30T00")


def test_an_hour_ahead_of_the_clock_does_not_age_the_others() -> None:
    ahead = Inventory({NEWEST + 1000: 1}, {}).first_kept(timedelta(hours=2), NOW)
    assert ahead == NEWEST  # now is within the hour after it


def test_nothing_is_old_before_anything_was_ingested() -> None:
    assert Inventory({}, {}).first_kept(timedelta(0), NOW) is None


@given(st.timedeltas(timedelta(0), timedelta(days=10_000)))
def test_what_is_kept_is_never_older_than_the_retention_and_what_goes_always_is(retention: timedelta) -> None:
    first = Inventory({NEWEST: 1}, {}).first_kept(retention, NOW)
    assert first is not None
    assert NEWEST.started_at - first.started_at <= retention
    assert NEWEST.started_at - (first + -1).started_at > retention
