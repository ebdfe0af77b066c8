from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples

from ingestor.planning import Picture
from pageviews_core.hour import Hour
from pageviews_core.keys import FailureKey
from pageviews_core.records.failure import FailureKind

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
NEWEST = samples.hour("2026-11-20T09")
START = NEWEST + -5


def picture(**changes: Any) -> Picture:
    given_: dict[str, Any] = {
        "now": NOW, "start": START, "end": None, "settled": START, "ingested": {}, "failures": {}, **changes
    }  # fmt: skip
    return Picture(**given_)


def failure(hour: Hour, due_in: int, kind: FailureKind = "failed", attempt: int = 2) -> dict[Hour, FailureKey]:
    return {hour: FailureKey(hour, attempt, NOW + timedelta(minutes=due_in), kind)}


def owed(view: Picture) -> list[int]:
    """Hours before the newest one, in the order of work."""
    return [planned.hour - NEWEST for planned in view.owed()]


def due(view: Picture) -> list[int]:
    return [planned.hour - NEWEST for planned in view.owed() if planned.due]


def test_the_newest_hour_comes_first_and_then_the_oldest_gaps() -> None:
    assert owed(picture()) == [0, -5, -4, -3, -2, -1]
    assert owed(picture(ingested={NEWEST: 1, START + 1: 1})) == [-1, -5, -3, -2]


def test_nothing_is_owed_where_every_hour_has_a_marker() -> None:
    assert owed(picture(ingested={START + offset: 1 for offset in range(6)})) == []


def test_the_hour_that_is_still_running_is_not_owed() -> None:
    assert max(owed(picture())) == 0
    assert picture(now=datetime(2026, 11, 20, 10, 0, tzinfo=UTC)).expected_until() == NEWEST + 1
    assert picture(now=datetime(2026, 11, 20, 9, 59, 59, tzinfo=UTC)).expected_until() == NEWEST


def test_hours_before_the_start_and_before_the_watermark_are_not_owed() -> None:
    assert owed(picture(settled=NEWEST + -1)) == [0, -1]


def test_hours_after_the_end_are_not_owed_and_the_end_itself_is() -> None:
    assert owed(picture(end=NEWEST + -3)) == [-3, -5, -4]
    assert owed(picture(end=NEWEST + 100)) == owed(picture())
    assert owed(picture(end=START + -1)) == []


def test_an_end_in_the_last_hour_of_the_calendar_is_no_end() -> None:
    assert owed(picture(end=samples.hour("9999-12-31T23"))) == owed(picture())


def test_a_failed_hour_that_is_not_due_is_told_but_left_alone() -> None:
    view = picture(failures=failure(NEWEST + -2, due_in=5))
    assert owed(view) == [0, -5, -4, -3, -2, -1]
    assert due(view) == [0, -5, -4, -3, -1]


@pytest.mark.parametrize("due_in", [0, -5])
def test_a_failed_hour_is_due_again_once_its_pause_is_over(due_in: int) -> None:
    assert due(picture(failures=failure(NEWEST + -2, due_in))) == [0, -5, -4, -3, -2, -1]


def test_a_failed_hour_that_was_loaded_since_is_not_owed() -> None:
    view = picture(settled=NEWEST, ingested={NEWEST: 1}, failures=failure(NEWEST, -5))
    assert owed(view) == []


def test_an_absent_hour_before_the_watermark_is_still_looked_for_when_due() -> None:
    view = picture(settled=NEWEST, failures=failure(NEWEST + -3, -5, "unpublished"))
    assert owed(view) == [0, -3]


@pytest.mark.parametrize("offset", [-6, -100, 1, 2])
def test_a_failure_outside_of_what_is_expected_is_not_owed(offset: int) -> None:
    assert owed(picture(settled=NEWEST, failures=failure(NEWEST + offset, -5))) == [0]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (picture(settled=NEWEST), "not loaded yet"),
        (picture(settled=NEWEST, failures=failure(NEWEST, -1, attempt=1)), "failed 1 time, due again"),
        (picture(settled=NEWEST, failures=failure(NEWEST, 5)), "failed 2 times, next try 2026-11-20 10:20 UTC"),
        (
            picture(settled=NEWEST, failures=failure(NEWEST, 5, "unpublished")),
            "not published 2 times, next try 2026-11-20 10:20 UTC",
        ),
    ],
)  # fmt: skip
def test_a_person_is_told_why(view: Picture, reason: str) -> None:
    assert [planned.reason for planned in view.owed()] == [reason]


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(0, 45))
def test_what_is_owed_is_exactly_what_is_expected_and_not_there(there: set[int], settled: int, end: int) -> None:
    start = NEWEST + -40
    view = picture(
        start=start, settled=start + settled, end=start + end, ingested={start + offset: 1 for offset in there}
    )
    found = [planned.hour - start for planned in view.owed()]
    assert sorted(found) == [offset for offset in range(settled, min(end, 40) + 1) if offset not in there]
    assert found[1:] == sorted(found[1:])
    assert not found or found[0] == max(found)
