from __future__ import annotations

from typing import Any

import pytest
from tests.tools.write_column_lineage import as_text, column_lineage


def node(kind: str, name: str, sql: str | None, *columns: str, **more: Any) -> dict[str, Any]:
    described = {column: {"name": column, "data_type": "bigint"} for column in columns}
    given = {"resource_type": kind, "name": name, "database": "w", "schema": "s", "columns": described}
    return {**given, "compiled_code": sql, **more}


RAW = node("source", "raw", None, "page", "views", identifier="RAW_TABLE")


def of(sql: str, *columns: str) -> dict[str, Any]:
    manifest = {"nodes": {"model.p.m": node("model", "m", sql, *columns)}, "sources": {"source.p.raw": RAW}}
    return column_lineage(manifest)["m"]


@pytest.mark.parametrize(
    ("expression", "how"),
    [
        ("views", "IDENTITY"),
        ("raw_table.views", "IDENTITY"),
        ("views + 1", "TRANSFORMATION"),
        ("cast(views as integer)", "TRANSFORMATION"),
        ("sum(views)", "AGGREGATION"),
        ("sum(views) / 2", "AGGREGATION"),
    ],
)
def test_says_how_a_column_comes_about(expression: str, how: str) -> None:
    assert of(f"select {expression} as c from w.s.raw_table", "c") == {"c": [["raw", "views", how]]}


def test_follows_a_column_through_named_queries_and_keeps_the_strongest_step() -> None:
    sql = """
        with summed as (select page, sum(views) as views from w.s.raw_table group by page),
        final as (select page as p, views as v, page || '' as q from summed)
        select p, v, q from final
    """
    assert of(sql, "p", "v", "q") == {
        "p": [["raw", "page", "IDENTITY"]],
        "v": [["raw", "views", "AGGREGATION"]],
        "q": [["raw", "page", "TRANSFORMATION"]],
    }


def test_a_column_of_several_columns_names_each_once() -> None:
    sql = "select page from w.s.raw_table union all select views || page from w.s.raw_table"
    assert of(sql, "page") == {"page": [["raw", "page", "TRANSFORMATION"], ["raw", "views", "TRANSFORMATION"]]}


def test_what_comes_from_no_table_or_from_the_model_itself_has_no_source() -> None:
    assert of("select 1 as one, (select max(n) from w.s.m) as n", "one", "n") == {"one": [], "n": []}


def test_writes_a_line_for_each_column() -> None:
    text = as_text({"m": {"a": [["raw", "page", "IDENTITY"]], "b": []}})
    assert text == '{\n  "m": {\n    "a": [["raw", "page", "IDENTITY"]],\n    "b": []\n  }\n}\n'
