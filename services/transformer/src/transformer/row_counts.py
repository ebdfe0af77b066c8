"""Rows of the batch's hours in every table that has some for each hour; asked only where lineage is told."""

from __future__ import annotations

from collections.abc import Sequence

from pageviews_core.hour import Hour
from pageviews_core.warehouse.base import Reader

HOUR_COLUMN = "hour_started_at"


def rows_of_hours(warehouse: Reader, tables: dict[str, str], hours: Sequence[Hour]) -> dict[str, int]:
    """By model, in one statement. `tables`: the table of each model, which has the column `hour_started_at`."""
    if not tables:
        return {}
    marks = ", ".join("?" * len(hours))
    counts = [
        f"select '{model}' as model, count(*) as row_count from {table} where {HOUR_COLUMN} in ({marks})"
        for model, table in tables.items()
    ]
    parameters = [hour.started_at.replace(tzinfo=None) for hour in hours] * len(tables)
    _, rows = warehouse.fetch(" union all ".join(counts), parameters)
    return {str(model): int(count) for model, count in rows}
