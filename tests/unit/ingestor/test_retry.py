from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.fake_clock import FakeClock

from ingestor.retry import Retries, TryAgain, retry_after
from pageviews_core.errors import SourceUnavailable

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 17 ", 17),
        ("Fri, 20 Nov 2026 10:16:00 GMT", 60),
        ("Fri, 20 Nov 2026 10:16:00", 60),
        ("Fri, 20 Nov 2026 10:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 500, 365 * 86400),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_pauses_grow_and_stay_bounded() -> None:
    clock = FakeClock()

    def fail() -> None:
        raise TryAgain("the server is busy")

    with pytest.raises(SourceUnavailable, match=r"the server is busy; gave up after 12 attempts"):
        Retries(clock, lambda: False, attempts=12, longest_wait=120).call(fail)
    assert max(clock.slept) <= 1
    assert 11 <= sum(clock.slept) <= 11 * 30


def test_other_errors_are_not_tried_again() -> None:
    clock, calls = FakeClock(), []

    def fail() -> None:
        calls.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Retries(clock, lambda: False, attempts=5, longest_wait=120).call(fail)
    assert len(calls) == 1
