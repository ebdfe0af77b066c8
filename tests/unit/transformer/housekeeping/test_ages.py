from __future__ import annotations

from datetime import UTC, date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transformer.housekeeping.house import NOW, ulid_at

from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectInfo
from transformer.housekeeping.ages import by_day, by_hour, day_in, made_at

_HOURS = st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1000).map(Hour.containing)
"""Keys spell years with four digits."""


def _info(key: str) -> ObjectInfo:
    return ObjectInfo(key, "etag", 1, NOW)


def test_a_ulid_tells_when_it_was_made() -> None:
    assert made_at(ulid_at(NOW)) == NOW


@pytest.mark.parametrize("text", ["", "index", "01KDVDNA00BGD5RCH8KRG7FT6", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "é" * 26])
def test_other_texts_have_no_age(text: str) -> None:
    assert made_at(text) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_ages(text: str) -> None:
    made_at(text)
    day_in(text, "runs/")


@given(st.lists(_HOURS, min_size=1), st.integers(1, 3))
def test_a_listing_comes_back_hour_by_hour_and_day_by_day(hours: list[Hour], objects: int) -> None:
    distinct = sorted(set(hours))
    infos = [_info(f"raw/{hour.path}/{number}") for hour in distinct for number in range(objects)]
    assert [(hour, len(group)) for hour, group in by_hour(infos, "raw/")] == [(hour, objects) for hour in distinct]
    assert [day for day, _ in by_day(infos, "raw/")] == sorted({hour.started_at.date() for hour in hours})


def test_keys_that_name_no_hour_are_left_out() -> None:
    infos = [_info("raw/2026/11/20/09/a"), _info("raw/2026/13/20/09/a"), _info("raw/README"), _info("raw/2026/11/20")]
    assert [str(hour) for hour, _ in by_hour(infos, "raw/")] == ["2026-11-20T09"]
    assert [day for day, _ in by_day(infos, "raw/")] == [date(2026, 11, 20), date(2026, 11, 20)]
