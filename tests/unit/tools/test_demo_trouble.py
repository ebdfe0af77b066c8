import pytest
from tests.tools.demo_trouble import demo_trouble
from tests.tools.troubles import Late, Restated, TruncatedAtFirst, WithBadLines

from pageviews_core.hour import Hour, hour_range

START = Hour.parse("2026-11-20T09")


@pytest.mark.parametrize("count", [8, 12, 36])
def test_four_different_hours_have_one_trouble_each_and_the_newest_none(count: int) -> None:
    hours = list(hour_range(START, START + count))
    demo = demo_trouble(reversed(hours))
    assert len(demo.by_hour) == 4
    assert hours[-1] not in demo.by_hour
    assert isinstance(demo.by_hour[demo.late], Late)
    assert isinstance(demo.by_hour[demo.truncated], TruncatedAtFirst)
    assert isinstance(demo.by_hour[demo.restated], Restated)
    assert isinstance(demo.by_hour[demo.with_bad_lines], WithBadLines)


def test_too_few_hours_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        demo_trouble(hour_range(START, START + 7))
