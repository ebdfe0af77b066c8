"""The marts that look only at the pages that can matter, against the plain sums over all of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from tests.integration.dbt.warehouse import Line, Warehouse

DAY = [f"2026-11-20T{hour:02}" for hour in range(24)]
FEW = {"top_pages": 5}
"""So few top pages that a small day has more articles than that in each project."""


def random_lines(seed: int) -> list[Line]:
    """An hour of three projects: one big, one whose pages are seldom in the same hour's top, one tiny."""
    chance = random.Random(seed)
    views: Counter[tuple[str, str]] = Counter()
    for _ in range(1500):
        code = chance.choices(["en", "en.m", "en.zero"], [5, 5, 1])[0]
        views[code, f"Page_{min(int(chance.expovariate(0.06)), 60)}"] += 1
    for _ in range(60):
        views[chance.choice(["so", "so.m"]), f"Page_{chance.randrange(30)}"] += chance.choice([1, 1, 2])
    for code, title, most in [("xh", "A", 9), ("xh", "B", 2), ("en", "Special:Search", 20), ("so", "-", 8)]:
        views[code, title] += chance.randrange(1, most)
    return [(code, title, count) for (code, title), count in views.items()]


PLAIN_HOURS = """
    with totals as (
        select hour_started_at, project, page_title, is_article, sum(view_count)::bigint as view_count
        from wikipedia_pageviews group by all
    ),
    ranked as (
        select *, case when is_article then row_number() over (
            partition by hour_started_at, project, is_article order by view_count desc, page_title) end as rank
        from totals
    )
    select hour_started_at, project, page_title, view_count, rank from ranked where view_count >= 9 or rank <= 5
    order by all
"""
PLAIN_DAYS = (
    PLAIN_HOURS.replace("select hour_started_at", "select date_day")
    .replace("by hour_started_at", "by date_day")
    .replace(">= 9", ">= 200")
)


def test_hours_and_days_keep_exactly_the_pages_and_sums_that_summing_everything_finds(warehouse: Warehouse) -> None:
    for seed, hour in enumerate(DAY):
        warehouse.load(hour, random_lines(seed))
    for batch in (DAY[:5], DAY[5:23], DAY[23:]):
        result = warehouse.build(*batch, variables=FEW)
        assert result.success, result.messages()

    hours = "select hour_started_at, project, page_title, view_count, article_rank from page_views_hourly order by all"
    assert warehouse.rows(hours) == warehouse.rows(PLAIN_HOURS)
    days = "select date_day, project, page_title, view_count, article_rank from page_views_daily order by all"
    found = warehouse.rows(days)
    assert found == warehouse.rows(PLAIN_DAYS)
    assert len({project for _, project, *_ in found}) == 3
    top = "select project, page_rank, page_title, hours_present from top_pages_daily order by all"
    ranks = warehouse.rows(top)
    assert {hours for *_, hours in ranks} == {24}
    assert Counter(project for project, *_ in ranks) == {"en.wikipedia": 5, "so.wikipedia": 5, "xh.wikipedia": 2}

    warehouse.rows("delete from page_views_hourly where hour(hour_started_at) between 3 and 20")
    warehouse.load(DAY[7], random_lines(99))
    assert warehouse.build(DAY[7], variables=FEW).success, "the day is built again, from what its hours' facts hold"
    assert warehouse.rows(days) == warehouse.rows(PLAIN_DAYS)
    left_out = "select page_kind, project, sum(view_count) > 0 from top_pages_left_out_hourly group by all order by all"
    assert warehouse.rows(left_out) == [("special", "en.wikipedia", True), ("unknown", "so.wikipedia", True)]


def test_a_day_is_built_when_it_is_over_and_again_for_a_late_hour(warehouse: Warehouse) -> None:
    page: list[Line] = [("en", "Page", 100)]
    day = "select date_day::varchar, view_count, hours_present from page_views_daily order by all"
    for hour in ("2026-11-20T21", "2026-11-20T22", "2026-11-21T00", "2026-11-21T23"):
        warehouse.load(hour, page)

    assert warehouse.build("2026-11-20T21").success
    assert warehouse.rows(day) == [], "the day has hours to come"
    assert warehouse.build("2026-11-21T00").success
    assert warehouse.rows(day) == [("2026-11-20", 100, 1)], "its last hours may never come: the next day has begun"
    assert warehouse.build("2026-11-20T22").success
    assert warehouse.rows(day) == [("2026-11-20", 200, 2)], "an hour came late"
    assert warehouse.build("2026-11-21T23").success
    assert warehouse.rows(day) == [("2026-11-20", 200, 2), ("2026-11-21", 200, 2)], "the last hour ends the day"

    warehouse.load("2026-11-20T22", [])
    assert warehouse.build("2026-11-20T22").success
    assert warehouse.rows(day)[0] == ("2026-11-20", 100, 2), "an hour was restated as empty"


def test_facts_are_stored_in_the_order_of_pages_within_an_hour(warehouse: Warehouse) -> None:
    warehouse.load(DAY[0], [("en", f"Page_{number}", 1) for number in range(5000)])
    warehouse.load(DAY[1], [("en", f"Page_{number}", 1) for number in range(5000)])
    assert warehouse.build(DAY[0], DAY[1]).success
    stored = warehouse.rows("select hour_started_at, page_key from fct_wikipedia_pageviews order by rowid")
    assert stored == sorted(stored)


def test_the_views_work_when_the_file_is_opened_by_another_name(warehouse: Warehouse) -> None:
    warehouse.load(DAY[0], [("en", "Page", 3)])
    assert warehouse.build(DAY[0]).success
    with warehouse.connection() as connection:
        shown = connection.execute(
            "select view_count, date_day::varchar from warehouse.wikipedia.wikipedia_pageviews"
        ).fetchall()
    assert shown == [(3, "2026-11-20")]


@pytest.mark.parametrize(
    "damage",
    [
        "update dim_wikipedia_page set page_key_check = 1, page_title = 'Other' where page_title = 'Page'",
        "insert into dim_wikipedia_page select * from dim_wikipedia_page where page_title = 'Page'",
    ],
    ids=["two pages share a key", "a page is there twice"],
)
def test_a_page_that_is_not_its_rows_own_fails_the_run(warehouse: Warehouse, damage: str) -> None:
    warehouse.load(DAY[0], [("en", "Page", 3), ("en", "Other_page", 4)])
    assert warehouse.build(DAY[0]).success
    warehouse.rows(damage)
    result = warehouse.build(DAY[0])
    assert not result.success
    failed = [name for name, node in result.nodes.items() if node["status"] == "fail"]
    assert [name for name in failed if name.startswith("pages_found_once")]


def test_a_line_that_the_source_has_twice_fails_the_run_before_any_page_is_added(warehouse: Warehouse) -> None:
    warehouse.load(DAY[0], [("en", "Page", 3), ("en", "Page", 4)])
    result = warehouse.build(DAY[0])
    assert not result.success
    assert [name for name, node in result.nodes.items() if node["status"] == "fail" and "unique" in name]
    assert result.nodes["dim_wikipedia_page"]["status"] == "skipped"


def test_a_late_hour_reaches_the_trends_that_it_is_a_baseline_of(warehouse: Warehouse) -> None:
    trends = "select hour_started_at::varchar, baseline_hour_count from trending_pages_hourly order by all"
    quiet: list[Line] = [("en", "Page", 20)]
    spike = "2026-11-20T08"
    for hour in DAY[1:8]:
        warehouse.load(hour, quiet)
    warehouse.load(spike, [("en", "Page", 900)])
    assert warehouse.build(*DAY[1:7], spike).success
    assert warehouse.rows(trends) == [("2026-11-20 08:00:00", 6)]
    assert warehouse.build(DAY[7]).success
    assert warehouse.rows(trends) == [("2026-11-20 08:00:00", 7)]
    warehouse.load(DAY[0], [("en", "Page", 900)])
    for hour in DAY[1:8]:
        warehouse.load(hour, [("en", "Page", 600)])
    assert warehouse.build(*DAY[:8]).success
    assert warehouse.rows(trends) == [], "what was read before has become too much for a trend"
