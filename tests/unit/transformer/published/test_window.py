from __future__ import annotations

from datetime import date

import pytest
from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from transformer.published.marts import Marts
from transformer.published.window import last_day_over, read_window, start_of

NEWEST = Hour.parse("2026-11-20T09")
VIEWS = {("en.wikipedia", "Earth"): 50}


def test_an_empty_warehouse_has_no_window(marts: Marts) -> None:
    assert read_window(marts) is None


def test_the_window_ends_at_the_newest_hour_whatever_is_missing_before_it(tiny: TinyMarts, marts: Marts) -> None:
    for back in (0, 3, 168):
        tiny.add_hour(NEWEST + -back, VIEWS)
    window = read_window(marts)
    assert window is not None
    assert (window.hours[0], window.hours[-1], len(window.hours)) == (NEWEST + -167, NEWEST, 168)
    assert [back for back in range(192) if window.built(NEWEST + -back)] == [0, 3, 168]


@pytest.mark.parametrize("table", ["top_pages_hourly", "traffic_hourly"])
def test_an_hour_whose_build_stopped_halfway_is_not_there(tiny: TinyMarts, marts: Marts, table: str) -> None:
    tiny.add_hour(NEWEST, VIEWS)
    tiny.add_hour(NEWEST + 1, VIEWS)
    tiny.db.execute(
        f"delete from wikipedia.{table} where hour_started_at > ?", [NEWEST.started_at.replace(tzinfo=None)]
    )
    window = read_window(marts)
    assert window is not None
    assert window.newest == NEWEST
    tiny.db.execute(f"delete from wikipedia.{table}")
    assert read_window(marts) is None


def test_the_days_are_those_that_are_over(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, VIEWS)
    window = read_window(marts)
    assert window is not None
    assert (window.days[0], window.days[-1], len(window.days)) == (date(2026, 10, 16), date(2026, 11, 19), 35)
    assert window.newest_day is None
    assert window.names["day"] is None
    assert last_day_over(Hour.parse("2026-11-20T23")) == date(2026, 11, 20)
    assert start_of(date(2026, 11, 20)) == Hour.parse("2026-11-20T00")


def test_the_newest_day_is_the_newest_built_one(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, VIEWS)
    tiny.add_day(date(2026, 11, 18), VIEWS, hours_present=20)
    tiny.add_day(date(2026, 11, 10), VIEWS)
    window = read_window(marts)
    assert window is not None
    assert window.newest_day == date(2026, 11, 18)
    assert window.days_built == {date(2026, 11, 18): 20, date(2026, 11, 10): 24}
    assert (window.names["day_start"], window.names["day_end"]) == (
        Hour.parse("2026-11-18T00"),
        Hour.parse("2026-11-18T23"),
    )
