from __future__ import annotations

import re
from datetime import timedelta

import pytest
from tests.unit.transformer.housekeeping.house import DAY, NEWEST, House, KeepAll

from pageviews_core.errors import Stopped, WarehouseUnavailable
from pageviews_core.hour import Hour
from transformer.housekeeping.rows import FACTS, STAGING, STEPS, retire_rows
from transformer.housekeeping.work import Work
from transformer.settings import TransformerSettings


class Retiring:
    """Notes what was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[str, str]] = {}

    def __call__(self, table: str, column: str, before: Hour) -> int:
        self.asked[table] = (column, str(before))
        return 5


@pytest.fixture
def retire() -> Retiring:
    return Retiring()


def test_every_model_that_grows_by_hour_or_day_has_a_retention() -> None:
    growing = set()
    for model in (TransformerSettings().dbt_project_folder() / "models").rglob("*.sql"):
        match = re.search(r"unique_key='(hour_started_at|date_day)'", model.read_text())
        if match is not None:
            growing.add((model.stem, match[1]))
    assert growing == {(STAGING, "hour_started_at"), *STEPS, *FACTS}


def test_raw_staging_and_page_hours_go_after_their_retentions_and_facts_stay(
    house: House, work: Work, retire: Retiring
) -> None:
    house.complete(NEWEST + -24 * 20, NEWEST + 1)
    retire_rows(work, KeepAll(retain_raw_rows=2 * DAY, retain_staging=timedelta(hours=5)), retire)
    assert retire.asked == {
        "RAW": ("hour_started_at", str(NEWEST + -48)),
        STAGING: ("hour_started_at", str(NEWEST + -5)),
        **{table: (column, str(_kept_from(column))) for table, column in STEPS},
    }
    assert work.counts == {"rows_of_RAW": 5, f"rows_of_{STAGING}": 5} | {f"rows_of_{table}": 5 for table, _ in STEPS}
    assert work.facts_retired_before is None


def test_facts_and_their_marts_go_where_a_setting_says_so_and_days_as_a_whole(
    house: House, work: Work, retire: Retiring
) -> None:
    house.complete(NEWEST + -24 * 20, NEWEST + 1)
    retire_rows(work, KeepAll(retain_facts=10 * DAY), retire)
    before = NEWEST + -24 * 10
    assert before == Hour.parse("2026-11-10T09")
    assert retire.asked["fct_wikipedia_pageviews"] == ("hour_started_at", "2026-11-10T09")
    assert retire.asked["top_pages_daily"] == ("date_day", "2026-11-10T00")
    assert retire.asked.keys() == {table for table, _ in (*STEPS, *FACTS)}
    assert work.facts_retired_before == before


def test_rows_of_an_hour_that_is_not_complete_are_kept_and_so_are_all_after_it(
    house: House, work: Work, retire: Retiring
) -> None:
    house.complete(NEWEST + -24 * 5, NEWEST + 1)
    house.ingest(NEWEST + -24 * 4, 2)
    retire_rows(work, KeepAll(retain_raw_rows=2 * DAY, retain_staging=2 * DAY), retire)
    assert retire.asked["RAW"][1] == retire.asked[STAGING][1] == str(NEWEST + -24 * 4)
    assert work.counts["hours_holding_up_RAW"] == 1


def test_a_warehouse_that_can_hold_nothing_so_old_is_not_woken(house: House, work: Work, retire: Retiring) -> None:
    house.complete(NEWEST + -48, NEWEST + 1)
    retire_rows(work, KeepAll(retain_raw_rows=2 * DAY, retain_staging=2 * DAY, retain_facts=2 * DAY), retire)
    assert retire.asked == {}


def test_nothing_is_retired_before_anything_was_ingested(work: Work, retire: Retiring) -> None:
    retire_rows(work, KeepAll(retain_raw_rows=timedelta(0), retain_facts=timedelta(0)), retire)
    assert retire.asked == {}


def test_a_stale_pipeline_keeps_its_last_days(house: House, work: Work, retire: Retiring) -> None:
    stale = Hour.parse("2018-02-19T09")
    house.complete(stale + -72, stale + 1)
    retire_rows(work, KeepAll(retain_raw_rows=2 * DAY), retire)
    assert retire.asked == {"RAW": ("hour_started_at", "2018-02-17T09")}


def test_the_warehouses_errors_come_out(house: House, work: Work) -> None:
    def busy(table: str, column: str, before: Hour) -> int:
        raise WarehouseUnavailable("held")

    house.complete(NEWEST + -72, NEWEST + 1)
    with pytest.raises(WarehouseUnavailable):
        retire_rows(work, KeepAll(retain_raw_rows=DAY), busy)


def test_a_stop_is_heard_between_tables(house: House, work: Work) -> None:
    asked = []

    def stopped_meanwhile(table: str, column: str, before: Hour) -> int:
        asked.append(table)
        house.stopping.ask()
        return 0

    house.complete(NEWEST + -72, NEWEST + 1)
    with pytest.raises(Stopped):
        retire_rows(work, KeepAll(retain_raw_rows=DAY, retain_staging=DAY), stopped_meanwhile)
    assert asked == ["RAW"]


def _kept_from(column: str) -> Hour:
    """Eight days before the newest hour; a day goes when its last hour does."""
    first = NEWEST + -24 * 8
    return first if column == "hour_started_at" else first + -first.started_at.hour
