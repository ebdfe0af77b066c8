"""Reading the marts: SQL that either engine understands, with values bound by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pageviews_core.hour import Hour
from pageviews_core.warehouse.base import Reader

_NAME = re.compile(r"(?<![:\w]):([a-z]\w*)")

_TABLES = frozenset(
    {
        "dim_hour",
        "fct_wikipedia_pageviews",
        "page_views_daily",
        "page_views_hourly",
        "top_pages_daily",
        "top_pages_hourly",
        "top_pages_left_out_hourly",
        "traffic_by_kind_hourly",
        "traffic_hourly",
        "trending_pages_daily",
        "trending_pages_hourly",
    }
)
"""All that are read here."""

Value = Hour | date | int | str | None


@dataclass(frozen=True)
class Marts:
    reader: Reader
    schema: str
    page_key_type: str
    """As the engine names it."""

    def missing(self) -> frozenset[str]:
        """Marts that were never built: a first build may have been of some models only."""
        found = self.rows(
            "select lower(table_name) from information_schema.tables where lower(table_schema) = :schema",
            schema=self.schema.lower(),
        )
        return _TABLES - {name for (name,) in found}

    def rows(self, sql: str, **values: Value) -> list[tuple[Any, ...]]:
        """In the text `{schema}` is the marts' schema, `{page_key_type}` a type, `:name` a value; None is null."""
        parameters: list[Any] = []

        def bound(match: re.Match[str]) -> str:
            parameters.append(stored(values[match[1]]))
            return "?"

        text = sql.format(schema=self.schema, page_key_type=self.page_key_type)
        return self.reader.fetch(_NAME.sub(bound, text), parameters)[1]


def hour_of(stored: datetime) -> Hour:
    """Of a timestamp of the warehouse: UTC, without saying so."""
    return Hour(stored.replace(tzinfo=UTC))


def stored(value: Value) -> Any:
    """As the warehouse holds it."""
    return value.started_at.replace(tzinfo=None) if isinstance(value, Hour) else value
