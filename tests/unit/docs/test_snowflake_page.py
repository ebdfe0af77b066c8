"""The set-up in docs/snowflake.md is Snowflake's SQL, makes what the adapter makes, and grants what `check` wants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import sqlglot

from pageviews_core.records.run import Job
from pageviews_core.warehouse.snowflake import TABLES
from pageviews_core.warehouse.snowflake_grants import missing, needed

PAGE = (Path(__file__).parents[3] / "docs" / "snowflake.md").read_text()
NAMES = {
    "warehouse": "pageviews_wh",
    "database": "pageviews",
    "schema": "pageviews.wikipedia",
    "raw": "pageviews.wikipedia.raw_wikipedia_pageviews",
    "ledger": "pageviews.wikipedia.pageviews_ledger",
    "fence": "pageviews.wikipedia.pageviews_fence",
    "stage": "pageviews.wikipedia.wikipedia_pageviews_stage",
    "external": "pageviews.wikipedia.pageviews_objects",
}
ROLES = {"ingestor": "pageviews_loader", "transformer": "pageviews_builder"}


def statements() -> list[str]:
    blocks = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    text = re.sub(r"--[^\n]*", "", "\n".join(blocks))
    return [" ".join(each.split()).replace("( ", "(") for each in text.split(";") if each.strip()]


@pytest.mark.parametrize("sql", statements())
def test_each_statement_parses_as_snowflakes(sql: str) -> None:
    sqlglot.parse_one(sql, dialect="snowflake", error_level=sqlglot.ErrorLevel.RAISE)


def test_the_tables_are_those_that_the_adapter_makes() -> None:
    made = {" ".join(each.format(**NAMES).split()) for each in TABLES}
    assert made <= set(statements())


@pytest.mark.parametrize("external_stage", [False, True])
@pytest.mark.parametrize("job", get_args(Job))
def test_each_jobs_role_gets_the_grants_that_it_needs(job: Job, external_stage: bool) -> None:
    rows = []
    for sql in statements():
        if match := re.fullmatch(rf"grant ([a-z, ]+) on (\w+) ([\w.]+) to role {ROLES[job]}", sql):
            privileges, kind, name = match.groups()
            rows += [{"privilege": each, "granted_on": kind, "name": name} for each in privileges.split(", ")]
    assert missing(needed(job, NAMES, external_stage=external_stage), rows) == []
    assert {row["name"].upper() for row in rows} <= {name.upper() for name in NAMES.values()}
