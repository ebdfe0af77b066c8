from __future__ import annotations

from pathlib import Path

from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.records.published import AccessViews, EnteredPage, Mover, Pulse
from transformer.published.marts import Marts
from transformer.published.pulse import read_pulse
from transformer.published.thresholds import read_thresholds
from transformer.published.window import read_window
from transformer.settings import TransformerSettings

NEWEST = Hour.parse("2026-11-20T09")
EARTH = ("en.wikipedia", "Earth")
MOON = ("en.wikipedia", "Moon")
SUN = ("en.wikipedia", "Sun")
THRESHOLDS = read_thresholds(TransformerSettings(local_data_dir=Path()).dbt_project_folder())


def _pulse(marts: Marts) -> Pulse:
    return read_pulse(marts, read_window(marts), THRESHOLDS)


def test_an_empty_warehouse_has_no_pulse(marts: Marts) -> None:
    assert _pulse(marts) == Pulse(floor=9)


def test_views_stand_beside_those_of_an_hour_a_day_and_a_week_before(tiny: TinyMarts, marts: Marts) -> None:
    for back, views in ((0, 50), (1, 40), (24, 30), (168, 20)):
        tiny.add_hour(NEWEST + -back, {EARTH: views, ("en.wikipedia", "-"): 4})
    pulse = _pulse(marts)
    assert (pulse.hour, pulse.views, pulse.article_views) == (NEWEST, 54, 50)
    assert (pulse.views_hour_before, pulse.views_day_before, pulse.views_week_before) == (44, 34, 24)


def test_what_cannot_be_compared_is_null_not_zero(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    pulse = _pulse(marts)
    assert (pulse.views_hour_before, pulse.views_day_before, pulse.views_week_before) == (None, None, None)
    assert (pulse.entered_top_50, pulse.rising, pulse.falling) == (None, None, None)


def test_the_mobile_share_is_of_the_views_whose_access_is_known(tiny: TinyMarts, marts: Marts) -> None:
    for access, views in (("desktop", 50), ("mobile", 120), ("zero", 30), ("ambiguous", 300), ("unknown", 7)):
        tiny.add_hour(NEWEST, {EARTH: views}, access=access)
    pulse = _pulse(marts)
    assert pulse.mobile_share == 0.75
    assert pulse.access[0] == AccessViews(access="ambiguous", views=300)


def test_without_a_known_access_there_is_no_share(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50}, access="ambiguous")
    assert _pulse(marts).mobile_share is None


def test_the_top_articles_are_only_those_that_are_surely_the_top(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50, MOON: 9, SUN: 8, ("en.wikipedia", "-"): 100})
    pulse = _pulse(marts)
    assert (pulse.top_articles, pulse.top_article_views, pulse.article_views) == (2, 59, 67)


def test_articles_that_entered_the_top_are_named_with_their_rank(tiny: TinyMarts, marts: Marts) -> None:
    others = {("de.wikipedia", f"Seite_{number:02}"): 100 + number for number in range(48)}
    tiny.add_hour(NEWEST + -1, {**others, MOON: 90, SUN: 80, EARTH: 10})
    tiny.add_hour(NEWEST, {**others, MOON: 90, SUN: 80, EARTH: 500})
    assert _pulse(marts).entered_top_50 == (EnteredPage(rank=1, project="en.wikipedia", title="Earth", views=500),)


def test_movers_are_against_the_same_hour_a_day_before(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST + -24, {EARTH: 10, MOON: 700, ("fr.wikipedia", "Lune"): 33})
    tiny.add_hour(NEWEST, {EARTH: 600, SUN: 40, MOON: 20, ("fr.wikipedia", "Lune"): 33, ("en.wikipedia", "-"): 900})
    pulse = _pulse(marts)
    assert pulse.rising == (
        Mover(project="en.wikipedia", title="Earth", views=600, before=10),
        Mover(project="en.wikipedia", title="Sun", views=40, before=0),
    )
    assert pulse.falling == (Mover(project="en.wikipedia", title="Moon", views=20, before=700),)
