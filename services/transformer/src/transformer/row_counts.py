"""Rows of the batch's hours, or of their days, in each table built by them; asked only where lineage is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from pageviews_core.hour import Hour
from pageviews_core.warehouse.base import Reader

HOUR_COLUMN, DAY_COLUMN = "hour_started_at", "date_day"


class BuiltTable(NamedTuple):
    name: str
    built_by: str
    """HOUR_COLUMN or DAY_COLUMN."""


def rows_of_hours(warehouse: Reader, tables: Mapping[str, BuiltTable], hours: Sequence[Hour]) -> dict[str, int]:
    """By model, in one statement. A day that is not over has no rows yet in a table that is built by days."""
    if not tables:
        return {}
    starts = [hour.started_at.replace(tzinfo=None) for hour in hours]
    wanted: dict[str, list[datetime] | list[date]] = {
        HOUR_COLUMN: starts,
        DAY_COLUMN: sorted({start.date() for start in starts}),
    }
    counts = [
        f"select '{model}' as model, count(*) as row_count from {table.name} "
        f"where {table.built_by} in ({', '.join('?' * len(wanted[table.built_by]))})"
        for model, table in tables.items()
    ]
    parameters = [each for table in tables.values() for each in wanted[table.built_by]]
    _, rows = warehouse.fetch(" union all ".join(counts), parameters)
    return {str(model): int(count) for model, count in rows}
