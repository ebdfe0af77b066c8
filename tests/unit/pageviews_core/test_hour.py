from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pageviews_core.hour import Hour, hour_range

hours = st.datetimes(timezones=st.just(UTC)).map(Hour.containing)
common_hours = st.integers(-1_000_000, 1_000_000).map(lambda offset: Hour.parse("2026-11-20T09") + offset)


@given(hours)
def test_an_hour_is_read_back_from_its_text_and_from_its_path(hour: Hour) -> None:
    assert Hour.parse(str(hour)) == hour
    assert Hour.from_path(hour.path) == hour
    assert (len(str(hour)), len(hour.path)) == (13, 13)


@given(hours, hours)
def test_texts_and_paths_sort_as_the_hours_do(one: Hour, other: Hour) -> None:
    assert (one < other) == (str(one) < str(other)) == (one.path < other.path)


@given(common_hours, st.integers(-100_000, 100_000))
def test_adding_hours_and_the_distance_between_hours_agree(hour: Hour, distance: int) -> None:
    assert (hour + distance) - hour == distance
    assert (hour + distance) + -distance == hour
    assert (hour + 1).started_at == hour.ended_at


@given(common_hours, st.integers(-5, 60))
def test_a_range_holds_each_hour_once_and_not_its_end(start: Hour, length: int) -> None:
    found = list(hour_range(start, start + length))
    assert len(found) == max(0, length)
    assert found == sorted(set(found))
    assert not found or (found[0], found[-1] + 1) == (start, start + length)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("2026-11-20T23", "2026-11-21T00"),
        ("2026-11-30T23", "2026-12-01T00"),
        ("2026-12-31T23", "2027-01-01T00"),
        ("2028-02-28T23", "2028-02-29T00"),
        ("2027-02-28T23", "2027-03-01T00"),
        ("2026-03-29T00", "2026-03-29T01"),  # summer time began in Europe: UTC does not care
    ],
)
def test_days_months_and_years_end_where_the_calendar_says(text: str, following: str) -> None:
    assert Hour.parse(text) + 1 == Hour.parse(following)
    assert Hour.parse(text).ended_at == Hour.parse(following).started_at


@given(st.text(max_size=20))
def test_any_text_is_an_hours_own_or_refused(text: str) -> None:
    try:
        hour = Hour.parse(text)
    except ValueError:
        return
    assert str(hour) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20", "2026-11-20T9", "2026-11-20T24", "2026-13-01T00", "2026-02-29T00", "2026-11-20T09:00",
        "2026-11-20T09Z", " 2026-11-20T09", "2026-11-20T09\n", "2026/11/20/09", "0000-01-01T00", "٢٠٢٦-11-20T09", "",
    ],
)  # fmt: skip
def test_texts_that_merely_look_like_an_hour_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"YYYY-MM-DDTHH|must be in|out of range|is out of"):
        Hour.parse(text)


@pytest.mark.parametrize(
    "at",
    [
        datetime.fromisoformat("2026-11-20T09:00"),
        datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
        datetime(2026, 11, 20, 9, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 11, 20, 9, 0, 0, 1, tzinfo=UTC),
    ],
)
def test_only_the_start_of_a_utc_hour_makes_an_hour(at: datetime) -> None:
    with pytest.raises(ValueError, match="not the start of a UTC hour"):
        Hour(at)


def test_the_hour_that_contains_a_time_is_found_in_any_zone() -> None:
    at = datetime(2026, 11, 20, 1, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert str(Hour.containing(at)) == "2026-11-19T20"


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2026-11-20T10:00:00", "2026-11-20T09"),
        ("2026-11-20T10:59:59", "2026-11-20T09"),
        ("2026-01-01T00:15", "2025-12-31T23"),
    ],
)
def test_the_newest_ended_hour_is_over_at_that_moment(now: str, newest: str) -> None:
    assert str(Hour.newest_ended(datetime.fromisoformat(now).replace(tzinfo=UTC))) == newest


class _Holder(BaseModel):
    hour: Hour


def test_a_model_takes_an_hour_or_its_text_and_writes_the_text() -> None:
    hour = Hour.parse("2026-11-20T09")
    assert _Holder(hour=hour) == _Holder.model_validate({"hour": "2026-11-20T09"})
    assert _Holder(hour=hour).model_dump_json() == '{"hour":"2026-11-20T09"}'


@pytest.mark.parametrize("value", [5, None, 1.5, True, ["2026-11-20T09"], {}, "2026-11-20"])
def test_a_model_refuses_anything_else_for_an_hour(value: object) -> None:
    with pytest.raises(ValidationError):
        _Holder.model_validate({"hour": value})


def test_the_json_schema_says_how_an_hour_is_written() -> None:
    schema = _Holder.model_json_schema()["properties"]["hour"]
    assert schema["type"] == "string"
    assert schema["pattern"].startswith("^")
    assert schema["pattern"].endswith("$")


def test_an_hour_is_the_same_whatever_the_zone_of_the_machine() -> None:
    code = (
        "from datetime import *; from pageviews_core.hour import Hour; "
        "print(Hour.parse('2026-03-29T02') + 1, Hour.containing(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": "America/St_Johns"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["2026-03-29T03", "2026-03-29T01"]
