from __future__ import annotations

from pathlib import Path

import pytest

from pageviews_core.errors import ConfigurationError
from pageviews_core.lineage.naming import served, stored, table_names
from pageviews_core.settings import JobSettings


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://bucket/some/prefix", ("s3://bucket", "some/prefix/landing")),
        ("s3://bucket", ("s3://bucket", "landing")),
        ("file:///var/data%20here/objects", ("file", "/var/data here/objects/landing")),
    ],
)
def test_objects_are_named_by_their_bucket_or_folder(url: str, found: tuple[str, str]) -> None:
    assert stored(url, "landing") == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://dumps.example.org/other/pageviews", ("https://dumps.example.org", "other/pageviews")),
        ("http://someone:secret@mirror:8080/p/", ("http://mirror:8080", "p")),
    ],
)
def test_files_of_a_server_are_named_without_who_asks(url: str, found: tuple[str, str]) -> None:
    assert served(url) == found


def test_tables_of_the_embedded_warehouse(tmp_path: Path) -> None:
    tables = table_names(JobSettings(duckdb_path=tmp_path / "Views.duckdb", warehouse_schema="WIKIPEDIA"))
    assert tables.namespace == f"duckdb://{tmp_path}/Views.duckdb"
    assert tables.table("RAW_Wikipedia") == "views.wikipedia.raw_wikipedia"
    assert tables.table("fct", schema="Other", database="what_dbt_calls_it") == "views.other.fct"


def test_tables_of_snowflake(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"ACCOUNT": "org-acc", "USER": "u", "ROLE": "r", "WAREHOUSE": "w", "DATABASE": "Pageviews", "TOKEN": "t"}
    for name, value in given.items():
        monkeypatch.setenv(f"SNOWFLAKE_{name}", value)
    tables = table_names(JobSettings(warehouse="snowflake", warehouse_schema="wikipedia"))
    assert tables.namespace == "snowflake://org-acc"
    assert tables.table("raw_wikipedia") == "PAGEVIEWS.WIKIPEDIA.RAW_WIKIPEDIA"
    assert tables.table("fct", schema="other", database="elsewhere") == "ELSEWHERE.OTHER.FCT"
    monkeypatch.delenv("SNOWFLAKE_ACCOUNT")
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_ACCOUNT is not set"):
        table_names(JobSettings(warehouse="snowflake"))
