from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.page_key import page_key
from pageviews_core.records.published import Elsewhere, LeftOut, Trending
from transformer.published.marts import Marts
from transformer.published.thresholds import Thresholds, read_thresholds
from transformer.published.trending import read_trending
from transformer.published.window import read_window
from transformer.settings import TransformerSettings

NEWEST = Hour.parse("2026-11-20T09")
EARTH = ("en.wikipedia", "Earth")
MOON = ("en.wikipedia", "Moon")
HOURS = {page_key(*EARTH): (None, 900), page_key(*MOON): (1, 800)}


@pytest.fixture(scope="module")
def thresholds() -> Thresholds:
    return read_thresholds(TransformerSettings(local_data_dir=Path()).dbt_project_folder())


def test_an_empty_warehouse_has_nothing_trending(marts: Marts, thresholds: Thresholds) -> None:
    assert read_trending(marts, None, thresholds, {}) == Trending(floor=9)


def test_pages_are_shown_by_how_much_they_rose(tiny: TinyMarts, marts: Marts, thresholds: Thresholds) -> None:
    tiny.add_hour(NEWEST, {MOON: 800, EARTH: 900, ("en.wikipedia", "-"): 3})
    tiny.add_trending_hour(NEWEST, *MOON, 800, baseline=12.5)
    tiny.add_trending_hour(NEWEST, *EARTH, 900, baseline=150)
    hourly = read_trending(marts, read_window(marts), thresholds, HOURS).hourly
    assert hourly is not None
    assert [(page.title, page.views, page.baseline, page.ratio, page.hours) for page in hourly.pages] == [
        ("Moon", 800, 12.5, 64.0, (1, 800)),
        ("Earth", 900, 150.0, 6.0, (None, 900)),
    ]
    assert (hourly.found, hourly.starts, hourly.rule) == (2, NEWEST, thresholds.hourly)
    assert hourly.excluded == (LeftOut(kind="unknown", views=3, pages=1),)


def test_too_short_a_baseline_is_told_from_nothing_trending(
    tiny: TinyMarts, marts: Marts, thresholds: Thresholds
) -> None:
    for back in (0, 1, 2, 24, 25):
        tiny.add_hour(NEWEST + -back, {EARTH: 10})
    trending = read_trending(marts, read_window(marts), thresholds, {})
    assert trending.hourly is not None
    assert trending.hourly.pages == ()
    assert trending.hourly.found == 0
    assert trending.hourly.baseline_periods_present == 3 < trending.hourly.rule.baseline_periods_needed
    assert trending.daily is None


def test_a_missing_hour_neither_ends_nor_lengthens_a_trend(
    tiny: TinyMarts, marts: Marts, thresholds: Thresholds
) -> None:
    for back in (0, 1, 3, 4, 5, 6):
        tiny.add_hour(NEWEST + -back, {EARTH: 900, MOON: 800})
    for back in (0, 1, 3, 5):
        tiny.add_trending_hour(NEWEST + -back, *EARTH, 900, baseline=9)
    tiny.add_trending_hour(NEWEST, *MOON, 800, baseline=9)
    hourly = read_trending(marts, read_window(marts), thresholds, HOURS).hourly
    assert hourly is not None
    assert {page.title: page.since for page in hourly.pages} == {"Earth": NEWEST + -3, "Moon": NEWEST}


def test_the_same_title_elsewhere_is_shown_largest_first(tiny: TinyMarts, marts: Marts, thresholds: Thresholds) -> None:
    others = {(f"x{number}.wikipedia", "Earth"): 10 + number for number in range(7)}
    tiny.add_hour(NEWEST, {EARTH: 900, **others, ("de.wikipedia", "earth"): 500})
    tiny.add_trending_hour(NEWEST, *EARTH, 900, baseline=9)
    hourly = read_trending(marts, read_window(marts), thresholds, HOURS).hourly
    assert hourly is not None
    assert hourly.pages[0].elsewhere == tuple(
        Elsewhere(project=f"x{number}.wikipedia", views=10 + number) for number in (6, 5, 4, 3, 2)
    )


def test_only_the_first_hundred_are_shown_but_all_are_counted(
    tiny: TinyMarts, marts: Marts, thresholds: Thresholds
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 900})
    keys = {}
    for number in range(103):
        tiny.add_trending_hour(NEWEST, "en.wikipedia", f"Page_{number}", 1000 + number, baseline=9)
        keys[page_key("en.wikipedia", f"Page_{number}")] = (0,)
    hourly = read_trending(marts, read_window(marts), thresholds, keys).hourly
    assert hourly is not None
    assert (len(hourly.pages), hourly.found, hourly.pages[0].title) == (100, 103, "Page_102")


def test_the_daily_rule_counts_whole_days_alone_as_its_baseline(
    tiny: TinyMarts, marts: Marts, thresholds: Thresholds
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 900})
    for number, present in [(19, 24), (18, 24), (17, 23), (16, 24), (15, 24)]:
        day = date(2026, 11, number)
        tiny.add_day(day, {EARTH: 5000, ("de.wikipedia", "Earth"): 300}, hours_present=present)
        if number not in (15, 17):
            tiny.add_trending_day(day, *EARTH, 5000, baseline=199)
    daily = read_trending(marts, read_window(marts), thresholds, HOURS).daily
    assert daily is not None
    assert (daily.starts, daily.hours_present, daily.hours_expected) == (Hour.parse("2026-11-19T00"), 24, 24)
    assert daily.baseline_periods_present == 3
    [page] = daily.pages
    assert page.since == Hour.parse("2026-11-18T00")
    assert page.elsewhere == (Elsewhere(project="de.wikipedia", views=300),)
    assert page.ratio == 25.13
