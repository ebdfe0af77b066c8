"""Every table of DuckDB and of Snowflake, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pageviews_core.warehouse.base import Reader

VIEWS = ("dim_date", "dim_wikipedia_domain", "wikipedia_pageviews")
_OF_THE_RUN = {"run_id", "loaded_at"}
"""Columns that tell two runs apart, and not two engines."""

Query = Callable[[str], Iterable[tuple[Any, ...]]]


class Compared(NamedTuple):
    table: str
    rows: int
    only_here: list[tuple[Any, ...]]
    only_there: list[tuple[Any, ...]]
    """Some of the rows that the other lacks; of two equal rows, one may be lacking."""

    @property
    def same(self) -> bool:
        return not (self.only_here or self.only_there)


def compare(here: Query, there: Reader, schema: str) -> list[Compared]:
    """`here` asks the embedded warehouse, whose tables are in `wikipedia`; `schema` is the other's, qualified."""
    tables = [name for (name,) in here(
        "select table_name from information_schema.tables "
        "where table_schema = 'wikipedia' and table_type = 'BASE TABLE'"
    )]  # fmt: skip
    return [_table(here, there, schema, table) for table in sorted({*tables, *VIEWS})]


def _table(here: Query, there: Reader, schema: str, table: str) -> Compared:
    columns = ", ".join(name for (name,) in here(
        "select column_name from information_schema.columns "
        f"where table_schema = 'wikipedia' and table_name = '{table}' order by ordinal_position"
    ) if name not in _OF_THE_RUN)  # fmt: skip
    mine = sorted(map(_plain, here(f"select {columns} from wikipedia.{table}")), key=repr)
    others = sorted(map(_plain, there.fetch(f"select {columns} from {schema}.{table}")[1]), key=repr)
    if mine == others:
        return Compared(table, len(mine), [], [])
    only_here, only_there = (sorted(one, key=repr)[:3] for one in (set(mine) - set(others), set(others) - set(mine)))
    return Compared(table, len(mine), only_here or mine[:1], only_there)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_value(value) for value in row)


def _value(value: Any) -> Any:
    if isinstance(value, Decimal | float):
        return int(value) if value == int(value) else round(float(value), 9)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value.isoformat() if isinstance(value, date) else value
