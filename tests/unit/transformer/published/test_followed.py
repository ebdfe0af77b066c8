from __future__ import annotations

from datetime import date

import pytest
from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.page_key import page_key
from transformer.published.followed import FollowedArticle, read_followed
from transformer.published.marts import Marts
from transformer.published.window import read_window
from transformer.watched import Article

NEWEST = Hour.parse("2026-11-20T09")
EARTH = Article("en.wikipedia", "Earth")
MOON = Article("en.wikipedia", "Moon")
SMALL = Article("en.wikipedia", "Small")
FILLERS = {("en.wikipedia", f"Page_{number:03}"): 60 for number in range(120)}
"""So that whatever has fewer than 60 views is in no ranking."""


def _followed(marts: Marts, *watched: Article) -> dict[Article, FollowedArticle]:
    window = read_window(marts)
    assert window is not None
    return {item.article: item for item in read_followed(marts, window, watched).values()}


def test_a_missing_hour_is_null_and_a_present_one_below_the_floor_zero(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {**FILLERS, EARTH: 900})
    tiny.add_hour(NEWEST + -2, {**FILLERS, EARTH: 8})
    tiny.add_hour(NEWEST + -3, {**FILLERS, EARTH: 9})
    earth = _followed(marts)[EARTH]
    assert earth.hours[-5:] == (None, 9, 0, None, 900)
    assert earth.hours[:-4] == (None,) * 164
    assert not earth.exact_hours
    assert earth.days == (None,) * 35


def test_articles_of_the_top_and_of_trending_are_followed_in_hour_and_day(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {("en.wikipedia", "A"): 20})
    tiny.add_day(date(2026, 11, 19), {("en.wikipedia", "B"): 300})
    tiny.add_trending_hour(NEWEST, "en.wikipedia", "C", 900, baseline=9)
    tiny.add_trending_day(date(2026, 11, 19), "en.wikipedia", "D", 9000, baseline=9)
    tiny.add_trending_day(date(2026, 11, 18), "en.wikipedia", "E", 9000, baseline=9)
    assert {article.title for article in _followed(marts)} == {"A", "B", "C", "D"}


def test_a_watched_article_has_exact_hours_over_all_its_accesses(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {**FILLERS, SMALL: 3})
    tiny.add_facts(NEWEST, {SMALL: 2})
    tiny.add_hour(NEWEST + -1, {**FILLERS, SMALL: 9})
    tiny.add_hour(NEWEST + -3, FILLERS)
    followed = _followed(marts, SMALL, MOON)
    assert followed[SMALL].exact_hours
    assert followed[SMALL].hours[-5:] == (None, 0, None, 9, 5)
    assert followed[MOON].hours[-5:] == (None, 0, None, 0, 0)


def test_a_watched_article_that_is_never_below_the_floor_costs_no_look_at_the_facts(
    tiny: TinyMarts, marts: Marts
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 900})
    tiny.db.execute("drop table wikipedia.fct_wikipedia_pageviews")
    assert _followed(marts, EARTH)[EARTH].hours[-1] == 900


def test_facts_of_an_hour_that_was_not_built_to_the_end_are_passed_over(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {**FILLERS, SMALL: 3})
    tiny.add_facts(NEWEST + -1, {SMALL: 7})
    assert _followed(marts, SMALL)[SMALL].hours[-3:] == (None, None, 3)


def test_a_missing_day_is_null_and_a_present_one_below_the_floor_zero(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 900})
    tiny.add_day(date(2026, 11, 19), {EARTH: 5000}, hours_present=22)
    tiny.add_day(date(2026, 11, 17), FILLERS)
    assert _followed(marts)[EARTH].days[-4:] == (None, 0, None, 5000)


def test_a_watched_articles_small_days_are_summed_from_its_hours_as_far_as_these_go(
    tiny: TinyMarts, marts: Marts
) -> None:
    tiny.add_hour(NEWEST, {**FILLERS, SMALL: 3})
    for hour in (0, 5, 23):
        tiny.add_hour(Hour.parse(f"2026-11-19T{hour:02}"), {**FILLERS, SMALL: 4})
    tiny.add_hour(Hour.parse("2026-11-13T20"), {**FILLERS, SMALL: 4})
    for number in (13, 18, 19):
        tiny.add_day(date(2026, 11, number), FILLERS)
    days = _followed(marts, SMALL)[SMALL].days
    assert days[-7:] == (0, None, None, None, None, 0, 12)


@pytest.mark.parametrize("count", [1, 20])
def test_keys_beyond_a_signed_64_bit_integer_are_found(tiny: TinyMarts, marts: Marts, count: int) -> None:
    articles = [Article("en.wikipedia", f"Key_{number}") for number in range(count)]
    tiny.add_hour(NEWEST, {**FILLERS, **dict.fromkeys(articles, 2)})
    followed = _followed(marts, *articles)
    assert all(followed[article].hours[-1] == 2 for article in articles)
    assert count == 1 or len({page_key(*article) < 2**63 for article in articles}) == 2
