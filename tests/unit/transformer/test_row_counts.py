from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pytest
from tests import samples

from transformer.row_counts import DAY_COLUMN, HOUR_COLUMN, BuiltTable, rows_of_hours

NAMES = {"facts": "fct", "traffic": "traffic", "none": "empty"}
HOURS = [samples.hour("2026-11-20T09"), samples.hour("2026-11-20T10")]


class Tables:
    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        self.statements = 0

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        self.statements += 1
        result = self.db.execute(sql, list(parameters))
        return [column[0] for column in result.description or ()], result.fetchall()


@pytest.fixture
def tables() -> Iterator[Tables]:
    with duckdb.connect() as db:
        for name, rows in {"fct": 3, "traffic": 1, "empty": 0}.items():
            db.execute(f"create table {name} (hour_started_at timestamp)")
            for hour in ["2026-11-20 08:00", *["2026-11-20 09:00"] * rows, *["2026-11-20 10:00"] * rows]:
                db.execute(f"insert into {name} values ('{hour}')")
        db.execute("create table daily (date_day date)")
        for day in ["2026-11-19"] * 3 + ["2026-11-20"] * 2:
            db.execute(f"insert into daily values ('{day}')")
        yield Tables(db)


def test_counts_the_hours_rows_of_all_tables_in_one_statement(tables: Tables) -> None:
    names = {model: BuiltTable(table, HOUR_COLUMN) for model, table in NAMES.items()}
    assert rows_of_hours(tables, names, HOURS) == {"facts": 6, "traffic": 2, "none": 0}
    assert rows_of_hours(tables, names, HOURS[:1]) == {"facts": 3, "traffic": 1, "none": 0}
    assert tables.statements == 2


def test_a_table_built_by_days_has_the_rows_of_the_hours_days(tables: Tables) -> None:
    names = {"facts": BuiltTable("fct", HOUR_COLUMN), "daily": BuiltTable("daily", DAY_COLUMN)}
    assert rows_of_hours(tables, names, HOURS) == {"facts": 6, "daily": 2}
    before = samples.hour("2026-11-19T23")
    assert rows_of_hours(tables, names, [before, *HOURS]) == {"facts": 6, "daily": 5}
    assert rows_of_hours(tables, names, [samples.hour("2026-11-21T00")]) == {"facts": 0, "daily": 0}


def test_asks_nothing_where_there_is_nothing_to_count(tables: Tables) -> None:
    assert rows_of_hours(tables, {}, HOURS) == {}
    assert tables.statements == 0
