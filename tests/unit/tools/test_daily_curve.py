import pytest
from tests.tools.daily_curve import relative_activity
from tests.tools.excerpt import EXCERPT_HOUR

from pageviews_core.hour import Hour

MONDAY = Hour.parse("2026-11-16T00")


def busiest_hour(domain_code: str) -> int:
    return max(range(24), key=lambda hour: relative_activity(domain_code, MONDAY + hour))


@pytest.mark.parametrize("domain_code", ["en", "ja.m", "commons.m", "", "xx.unheard-of"])
def test_the_hour_of_the_excerpt_is_as_busy_as_itself(domain_code: str) -> None:
    assert relative_activity(domain_code, EXCERPT_HOUR) == 1


def test_languages_follow_their_own_local_day() -> None:
    assert busiest_hour("ja") < busiest_hour("de") < busiest_hour("pt")


def test_mobile_is_busiest_in_the_evening_and_desktop_in_the_afternoon() -> None:
    assert busiest_hour("de.m") - busiest_hour("de") == 6
    assert busiest_hour("commons.m.m") > busiest_hour("commons.m") == busiest_hour("www.wd")


def test_on_a_weekend_desktop_is_quieter_and_mobile_busier() -> None:
    saturday = MONDAY + 5 * 24
    assert relative_activity("de", saturday) < relative_activity("de", MONDAY)
    assert relative_activity("de.m", saturday) > relative_activity("de.m", MONDAY)
