from __future__ import annotations

from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.records.published import LeftOut
from transformer.published.left_out import left_out_of, together
from transformer.published.marts import Marts

HOUR = Hour.parse("2026-11-20T09")


def test_what_is_left_out_is_said_by_project_and_kind_over_the_hours_asked_for(tiny: TinyMarts, marts: Marts) -> None:
    views = {("en.wikipedia", "-"): 5, ("en.wikipedia", "Special:Search"): 70, ("en.wikipedia", "Earth"): 9}
    for back in range(3):
        tiny.add_hour(HOUR + -back, views | {("de.wikipedia", "-"): 30})
    found = left_out_of(marts, HOUR + -1, HOUR)
    assert found == {
        "en.wikipedia": (LeftOut(kind="special", views=140, pages=2), LeftOut(kind="unknown", views=10, pages=2)),
        "de.wikipedia": (LeftOut(kind="unknown", views=60, pages=2),),
    }
    assert together(found) == (LeftOut(kind="special", views=140, pages=2), LeftOut(kind="unknown", views=70, pages=4))


def test_nothing_left_out_is_nothing(marts: Marts) -> None:
    assert left_out_of(marts, HOUR, HOUR) == {}
    assert together({}) == ()
