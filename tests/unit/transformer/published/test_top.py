from __future__ import annotations

from datetime import date

from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.records.published import LeftOut, Top, TopPage
from transformer.published.marts import Marts
from transformer.published.top import read_top
from transformer.published.window import read_window

NEWEST = Hour.parse("2026-11-20T09")
TODAY = {("en.wikipedia", "Earth"): 50, ("en.wikipedia", "Moon"): 40, ("en.wikipedia", "-"): 7}


def test_an_empty_warehouse_has_an_empty_top(marts: Marts) -> None:
    assert read_top(marts, None) == Top(hour=None, day=None)


def test_pages_stand_by_rank_with_their_previous_rank_and_what_was_left_out(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST + -1, {("en.wikipedia", "Moon"): 90})
    tiny.add_hour(NEWEST, TODAY)
    top = read_top(marts, read_window(marts))
    assert top.hour is not None
    assert (top.hour.starts, top.hour.previous) == (NEWEST, NEWEST + -1)
    assert (top.hour.hours_present, top.hour.hours_expected) == (1, 1)
    [project] = top.hour.projects
    assert (project.project, project.views) == ("en.wikipedia", 97)
    assert project.left_out == (LeftOut(kind="unknown", views=7, pages=1),)
    assert project.pages == (
        TopPage(rank=1, title="Earth", views=50, previous_rank=None),
        TopPage(rank=2, title="Moon", views=40, previous_rank=1),
    )
    assert top.day is None


def test_a_missing_hour_before_is_said_so_that_no_page_looks_new(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, TODAY)
    top = read_top(marts, read_window(marts))
    assert top.hour is not None
    assert top.hour.previous is None


def test_the_day_is_the_newest_built_one_with_its_hours(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, TODAY)
    tiny.add_hour(Hour.parse("2026-11-19T23"), {("en.wikipedia", "Special:X"): 3, ("en.wikipedia", "Earth"): 8})
    tiny.add_day(date(2026, 11, 18), {("en.wikipedia", "Moon"): 400, ("en.wikipedia", "Sun"): 500})
    tiny.add_day(date(2026, 11, 19), {("en.wikipedia", "Moon"): 700}, hours_present=23)
    top = read_top(marts, read_window(marts))
    assert top.day is not None
    assert (top.day.starts, top.day.previous) == (Hour.parse("2026-11-19T00"), Hour.parse("2026-11-18T00"))
    assert (top.day.hours_present, top.day.hours_expected) == (23, 24)
    [project] = top.day.projects
    assert project.pages == (TopPage(rank=1, title="Moon", views=700, previous_rank=2),)
    assert (project.views, project.left_out) == (11, (LeftOut(kind="special", views=3, pages=1),))


def test_large_projects_show_50_pages_the_next_ones_10_and_the_rest_none(tiny: TinyMarts, marts: Marts) -> None:
    largest = {("p00.wikipedia", f"Page_{number:03}"): 1000 - number for number in range(60)}
    for number in range(1, 42):
        largest |= {(f"p{number:02}.wikipedia", f"Page_{page:03}"): 100 - number for page in range(12)}
    tiny.add_hour(NEWEST, largest)
    top = read_top(marts, read_window(marts))
    assert top.hour is not None
    pages = [len(project.pages) for project in top.hour.projects]
    assert pages == [50, *[12] * 9, *[10] * 30]
    assert [project.project for project in top.hour.projects] == [f"p{number:02}.wikipedia" for number in range(40)]


def test_a_project_without_articles_has_no_pages(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {**TODAY, ("commons.wikimedia", "File:A.jpg"): 500})
    top = read_top(marts, read_window(marts))
    assert top.hour is not None
    assert top.hour.projects[0].project == "commons.wikimedia"
    assert top.hour.projects[0].pages == ()
