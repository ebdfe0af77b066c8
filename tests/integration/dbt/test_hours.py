"""Which hours a run takes, replaces and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.dbt.warehouse import Line, Warehouse

NINE, TEN, ELEVEN = "2026-11-20T09", "2026-11-20T10", "2026-11-20T11"
LINES: list[Line] = [
    ("en", "Main_Page", 500),
    ("en", "Albert_Einstein", 30),
    ("en.m", "Albert_Einstein", 20),
    ("en", '"Weird_Al"_Yankovic', 4),
    ("en", "AC\\DC", 3),
    ("pl.m", "Kraków", 9),
    ("de", "-", 12),
    ("", "Z10000", 1),
    ("xx.unheard.of", "Page", 2),
    ("commons.m", "File:A.jpg", 5),
]
OTHER_LINES: list[Line] = [("en", "Albert_Einstein", 7), ("fr", "Paris", 40), ("en.m", "Only_mobile", 2)]


def counts(warehouse: Warehouse, table: str, views: str = "view_count") -> list[tuple[int, int]]:
    return warehouse.rows(f"select count(*), sum({views})::bigint from {table} group by hour_started_at order by 1, 2")


def test_rows_and_views_are_the_same_from_the_raw_table_to_the_view(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    result = warehouse.build(NINE, TEN)

    assert result.success, result.messages()
    raw = counts(warehouse, "raw_wikipedia_pageviews", "count_views")
    assert raw == [(3, 49), (10, 586)]
    for table in ("stg_wikipedia_pageviews", "fct_wikipedia_pageviews", "wikipedia_pageviews"):
        assert counts(warehouse, table) == raw
    assert sum(views for _, views in counts(warehouse, "traffic_hourly")) == 635
    shown = warehouse.rows("select domain_code, page_title, view_count from wikipedia_pageviews where hour_of_day = 9")
    assert sorted(shown) == sorted(LINES)


def test_the_same_manifest_serves_other_hours(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    assert warehouse.build(NINE).success
    assert warehouse.rows("select date_day, hour_of_day from dim_hour")[0][1] == 9
    assert counts(warehouse, "fct_wikipedia_pageviews") == [(10, 586)]

    assert warehouse.build(TEN).success
    assert counts(warehouse, "fct_wikipedia_pageviews") == [(3, 49), (10, 586)]
    assert warehouse.rows("select count(*), count(distinct page_key) from dim_wikipedia_page") == [(11, 11)]


def test_an_hour_run_again_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    assert warehouse.build(NINE, TEN).success
    once = warehouse.contents()

    assert warehouse.build(TEN).success
    assert warehouse.build(NINE, TEN).success
    assert warehouse.contents() == once


def test_a_restated_hour_replaces_its_rows_and_no_other_hours(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    assert warehouse.build(NINE, TEN).success
    ten = warehouse.rows("select * from wikipedia_pageviews where hour_of_day = 10 order by all")

    warehouse.load(NINE, [("en", "Albert_Einstein", 1000)])
    assert warehouse.build(NINE).success

    assert counts(warehouse, "fct_wikipedia_pageviews") == [(1, 1000), (3, 49)]
    assert warehouse.rows("select generation from stg_wikipedia_pageviews where view_count = 1000") == [(2,)]
    assert warehouse.rows("select * from wikipedia_pageviews where hour_of_day = 10 order by all") == ten
    assert warehouse.rows(
        "select page_title, view_count from top_pages_hourly where hour_started_at::time = '9:00'"
    ) == [("Albert_Einstein", 1000)]


def test_an_hour_restated_as_empty_loses_its_rows(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    assert warehouse.build(NINE, TEN).success
    warehouse.load(NINE, [])
    result = warehouse.build(NINE)

    assert result.success, result.messages()
    for table in ("stg_wikipedia_pageviews", "fct_wikipedia_pageviews", "traffic_hourly", "page_views_hourly"):
        assert warehouse.rows(f"select distinct extract(hour from hour_started_at) from {table}") == [(10,)]
    assert warehouse.rows("select count(*) from dim_hour") == [(2,)]


def test_a_run_without_hours_builds_and_deletes_nothing(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    first = warehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert first.success, first.messages()
    assert warehouse.rows("select count(*) from stg_wikipedia_pageviews") == [(0,)]

    assert warehouse.build(NINE).success
    before = warehouse.contents()
    assert warehouse.dbt("build", "--exclude-resource-type", "unit_test").success
    assert warehouse.contents() == before


def test_full_refresh_loses_no_hour(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, OTHER_LINES)
    assert warehouse.build(NINE).success
    given = warehouse.given(TEN)
    assert warehouse.dbt("run", "--full-refresh", variables={"hours": given}).success
    assert counts(warehouse, "fct_wikipedia_pageviews") == [(3, 49), (10, 586)]


def refused(warehouse: Warehouse, given: list[dict[str, Any]], reason: str) -> None:
    """The run ends with `reason`, before any model."""
    before = warehouse.contents()
    result = warehouse.build_given(given)
    assert not result.success
    assert reason in result.messages()
    assert all(node["status"] in ("skipped", "error") for node in result.nodes.values())
    assert warehouse.contents() == before


def test_an_older_generation_than_the_ledgers_is_refused_as_superseded(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    assert warehouse.build(NINE).success
    given = warehouse.given(NINE)
    warehouse.load(NINE, OTHER_LINES)
    refused(
        warehouse, given, "superseded: hour 2026-11-20 09:00:00 was given as generation 1, the ledger's newest is 2"
    )


def test_an_hour_whose_raw_rows_are_gone_keeps_its_facts(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    assert warehouse.build(NINE).success
    warehouse.rows("delete from raw_wikipedia_pageviews where page_title = 'Main_Page'")
    refused(warehouse, warehouse.given(NINE), "input gone: hour 2026-11-20 09:00:00 has 9 raw rows")


def test_an_hour_that_was_never_loaded_is_refused(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    warehouse.rows("insert into pageviews_fence values ('transformed', timestamp '2026-11-20 10:00:00', 0)")
    refused(warehouse, [{"hour": TEN, "generation": 1, "fence": 1}], "input gone: the ledger has no hour")


@pytest.mark.parametrize("hour", [NINE, ELEVEN])
def test_a_run_whose_fence_was_overtaken_or_is_missing_writes_nothing(warehouse: Warehouse, hour: str) -> None:
    warehouse.load(NINE, LINES)
    warehouse.load(TEN, LINES)
    assert warehouse.build(TEN).success
    warehouse.rows("update pageviews_fence set fence = 9 where hour_started_at = timestamp '2026-11-20 09:00:00'")
    refused(
        warehouse, [{"hour": hour, "generation": 1, "fence": 8}], f"lease lost: another process took over {hour[:10]}"
    )


def test_a_run_that_is_overtaken_on_its_way_writes_no_more(warehouse: Warehouse) -> None:
    warehouse.load(NINE, LINES)
    assert warehouse.build(NINE).success
    warehouse.load(NINE, OTHER_LINES)
    before = warehouse.contents()

    result = warehouse.build(NINE, STEAL_FENCE_AFTER="stg_wikipedia_domains")

    assert not result.success
    assert "lease lost" in result.nodes["stg_wikipedia_pageviews"]["message"]
    after = warehouse.contents()
    for table in ("stg_wikipedia_pageviews", "fct_wikipedia_pageviews", "dim_wikipedia_page", "top_pages_hourly"):
        assert after[table] == before[table]


@pytest.mark.parametrize("hour", ["2026-11-20", "2026-11-20T9", "2026-11-20T09' or true --"])
def test_what_is_no_hour_is_refused(warehouse: Warehouse, hour: str) -> None:
    warehouse.load(NINE, LINES)
    result = warehouse.build_given([{"hour": hour, "generation": 1, "fence": 1}])
    assert not result.success
    assert "not an hour" in result.messages()
