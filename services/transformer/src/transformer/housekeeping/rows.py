"""Retention of rows in the warehouse. What is retired from raw and staging can be loaded again; facts cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from pageviews_core.hour import Hour
from transformer.housekeeping.inventory import Inventory
from transformer.housekeeping.settings import HousekeepingSettings
from transformer.housekeeping.work import Work

STAGING = "stg_wikipedia_pageviews"
PAGE_HOURS = "page_views_hourly"
RETAIN_STEPS = timedelta(days=8)
"""The hourly trending rule looks back a day; a week and a day serve the same hour of last week."""
HOUR = "hour_started_at"
DAY = "date_day"
STEPS = (
    (PAGE_HOURS, HOUR),
    ("int_seen_page_days", DAY),
    ("int_project_days", DAY),
    ("int_page_day_candidates", DAY),
)
"""On the way to a day's marts; built again whenever the day is."""
FACTS = (
    ("dim_hour", HOUR),
    ("fct_wikipedia_pageviews", HOUR),
    ("traffic_hourly", HOUR),
    ("traffic_by_kind_hourly", HOUR),
    ("top_pages_hourly", HOUR),
    ("top_pages_left_out_hourly", HOUR),
    ("trending_pages_hourly", HOUR),
    ("page_views_daily", DAY),
    ("top_pages_daily", DAY),
    ("trending_pages_daily", DAY),
)

Retire = Callable[[str, str, Hour], int]
"""Deletes the rows of a table whose column is before the hour, and says how many they were."""

log = structlog.get_logger()


def retire_rows(work: Work, settings: HousekeepingSettings, retire: Retire) -> None:
    """Asks the warehouse only where an hour that old was ever ingested. Raises what `retire` does."""
    inventory = Inventory.take(work.session.store)
    rows = _Rows(work, inventory, retire)
    rows.retire_input(settings.raw_table, settings.retain_raw_rows)
    rows.retire_input(STAGING, settings.retain_staging)
    rows.retire_results(STEPS, RETAIN_STEPS)
    if settings.retain_facts is not None:
        work.facts_retired_before = rows.retire_results(FACTS, settings.retain_facts)


class _Rows:
    def __init__(self, work: Work, inventory: Inventory, retire: Retire) -> None:
        self._work = work
        self._inventory = inventory
        self._oldest = min(inventory.ingested, default=None)
        self._owed = inventory.owed()
        self._retire = retire

    def retire_input(self, table: str, retention: timedelta) -> None:
        """Up to the first hour that is still to be built from it."""
        before = self._inventory.first_kept(retention, self._work.now)
        if before is not None and self._owed and self._owed[0] < before:
            log.warning("rows_kept_for_owed_hours", table=table, first=str(self._owed[0]), else_before=str(before))
            self._work.counts[f"hours_holding_up_{table}"] = sum(hour < before for hour in self._owed)
            before = self._owed[0]
        self._retire_before(table, HOUR, before)

    def retire_results(self, tables: tuple[tuple[str, str], ...], retention: timedelta) -> Hour | None:
        """The hour before which they were retired; a day goes when its last hour does."""
        before = self._inventory.first_kept(retention, self._work.now)
        for table, column in tables:
            self._retire_before(table, column, before and (_start_of_day(before) if column == DAY else before))
        return before

    def _retire_before(self, table: str, column: str, before: Hour | None) -> None:
        if before is None or self._oldest is None or self._oldest >= before:
            return
        self._work.go_on()
        self._work.counts[f"rows_of_{table}"] += self._retire(table, column, before)


def _start_of_day(hour: Hour) -> Hour:
    return hour + -hour.started_at.hour
