from __future__ import annotations

from datetime import date, datetime

from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from transformer.published.marts import Marts, hour_of, stored

HOUR = Hour.parse("2026-11-20T09")


def test_values_are_bound_by_name_wherever_and_however_often_they_stand() -> None:
    marts = Marts(TinyMarts(), "wikipedia", "ubigint")
    rows = marts.rows("select :second, :first, cast(:second as {page_key_type}), '{schema}'", first="a:b", second=2)
    assert rows == [(2, "a:b", 2, "wikipedia")]


def test_a_cast_with_two_colons_is_no_name() -> None:
    assert Marts(TinyMarts(), "wikipedia", "ubigint").rows("select '7'::integer + :more", more=1) == [(8,)]


def test_null_equals_nothing() -> None:
    assert Marts(TinyMarts(), "wikipedia", "ubigint").rows("select 1 where date '2026-11-20' = :day", day=None) == []


def test_hours_go_in_and_come_out_as_utc_without_a_zone() -> None:
    assert stored(HOUR) == datetime(2026, 11, 20, 9)  # noqa: DTZ001 - the warehouse's own
    assert hour_of(stored(HOUR)) == HOUR
    assert stored(date(2026, 11, 20)) == date(2026, 11, 20)
