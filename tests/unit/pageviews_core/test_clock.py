from __future__ import annotations

from datetime import timedelta

from tests.fake_clock import FakeClock

from pageviews_core.clock import Clock, SystemClock


def test_the_systems_time_is_in_utc_and_its_other_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= before


def test_a_fake_clock_moves_only_when_told() -> None:
    clock: Clock = FakeClock()
    now, seconds = clock.now(), clock.monotonic()
    assert (clock.now(), clock.monotonic()) == (now, seconds)
    clock.sleep(90)
    assert (clock.now() - now, clock.monotonic() - seconds) == (timedelta(seconds=90), 90)
