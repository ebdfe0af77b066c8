"""`make verify-snowflake`: what only a real account can prove, proved on yours.

Needs the SNOWFLAKE_ settings (docs/snowflake.md) of a role that may create a schema in SNOWFLAKE_DATABASE. It makes a
schema of its own there, and drops it at the end: three derived hours go through both jobs, on Snowflake and on DuckDB,
and every table is compared; two loads of one hour meet; hash functions, staged files and query tags are looked at.
Takes some minutes of an XS warehouse.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from ulid import ULID

from pageviews_core.clock import SystemClock
from pageviews_core.errors import LeaseLost
from pageviews_core.hour import Hour, hour_range
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import HourLoad
from pageviews_core.warehouse.snowflake import SnowflakeWarehouse
from pageviews_core.warehouse.snowflake_connection import Session, connected
from tests.tools.dumps_server import DumpsServer
from tests.tools.engine_parity import compare
from tests.tools.published_hours import DerivedHours

_HOURS = 3
_SCALE = 0.05
_DOCUMENTED = (9203306159527282910, 17145559544104499780)
"""MD5_NUMBER_LOWER64 and _UPPER64 of 'Snowflake'."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make verify-snowflake", description=__doc__)
    parser.add_argument("--stand-in", action="store_true", help="leave out what only Snowflake itself can do")
    arguments = parser.parse_args()
    console, schema = Console(), f"PAGEVIEWS_VERIFY_{ULID()}"
    os.environ.update(PAGEVIEWS_WAREHOUSE="snowflake", SNOWFLAKE_SCHEMA=schema)
    warehouse = open_warehouse(read_settings(JobSettings), SystemClock(), engine_memory=0)
    assert isinstance(warehouse, SnowflakeWarehouse)
    failed = False

    def prove(what: str, attempt: Callable[[], object]) -> None:
        nonlocal failed
        try:
            attempt()
        except Exception as exc:
            failed = True
            console.print(f"[red]FAILED[/] {what}: {type(exc).__name__}: {exc}", highlight=False)
        else:
            console.print(f"[green]proved[/] {what}", highlight=False)

    with tempfile.TemporaryDirectory() as folder:
        try:
            warehouse.create()
            prove("the keys are what DuckDB computes", lambda: _keys(warehouse))
            prove("both engines hold the same rows", lambda: _parity(console, Path(folder), warehouse, schema))
            if not arguments.stand_in:
                prove("a second load waits for the first, and is refused", lambda: _meet(Path(folder), warehouse))
                prove("no staged file is left", lambda: _stage_is_empty(warehouse))
                prove("statements carry their tag", lambda: _tagged(warehouse))
        finally:
            with connected(warehouse.settings, schema, {"step": "clean"}) as session:
                session.run(f"drop schema if exists {warehouse.settings.database}.{schema} cascade")
    return 1 if failed else 0


def _keys(warehouse: SnowflakeWarehouse) -> None:
    (row,) = warehouse.fetch("select md5_number_lower64('Snowflake'), md5_number_upper64('Snowflake')")[1]
    assert tuple(map(int, row)) == _DOCUMENTED, row


def _parity(console: Console, folder: Path, warehouse: SnowflakeWarehouse, schema: str) -> None:
    newest = Hour.newest_ended(datetime.now(UTC))
    hours = list(hour_range(newest + (1 - _HOURS), newest + 1))
    with DumpsServer(hours, None, source=DerivedHours(_SCALE)) as server:
        for engine in ("duckdb", "snowflake"):
            names = {"SNOWFLAKE_SCHEMA": "WIKIPEDIA"} if engine == "duckdb" else {}
            environment = {
                "LOCAL_DATA_DIR": str(folder / engine),
                "PAGEVIEWS_WAREHOUSE": engine,
                "PAGEVIEWS_SOURCE_URL": server.url,
                "PAGEVIEWS_CONTACT": "verify@localhost",
                "PAGEVIEWS_START": str(hours[0]),
                "PAGEVIEWS_END": str(hours[-1]),
                **names,
            }
            for job in ("ingestor", "transformer"):
                _run(job, environment)
    with duckdb.connect(folder / "duckdb" / "warehouse.duckdb", read_only=True) as db:
        compared = compare(lambda sql: db.execute(sql).fetchall(), warehouse, f"{warehouse.settings.database}.{schema}")
    for each in compared:
        console.print(f"  {each.table:30s} {each.rows:>8,} {'' if each.same else 'DIFFERENT'}", highlight=False)
    different = [each for each in compared if not each.same]
    assert not different, different


def _run(job: str, environment: Mapping[str, str]) -> None:
    command = [str(Path(sys.executable).with_name(f"pageviews-{job}")), "run"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job}: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")


def _meet(folder: Path, warehouse: SnowflakeWarehouse) -> None:
    """The first holds the hour's fence row for some seconds; the second, with a lower number, waits, and is refused."""
    hour, parquet, held = Hour.parse("2016-01-01T00"), folder / "hour.parquet", threading.Event()
    duckdb.sql(f"copy (select 'en' as domain_code, 'A' as page_title, 1::bigint as count_views) to '{parquet}'")

    def load(fence: int) -> HourLoad:
        return HourLoad(
            hour=hour, parquet=parquet, sha256=str(fence), generation_floor=1, rows=1, views=1, run_id=str(ULID()),
            stage="ingested", fence=fence,
        )  # fmt: skip

    run = Session.run

    def slow(self: Session, sql: str, parameters: Any = None) -> Any:
        if sql == "commit" and threading.current_thread() is first:
            held.set()
            time.sleep(8)
        return run(self, sql, parameters)

    first = threading.Thread(target=lambda: warehouse.load_hour(load(7)))
    Session.run = slow  # type: ignore[method-assign]
    try:
        first.start()
        assert held.wait(120), "the first load did not come to its commit"
        began = time.monotonic()
        try:
            warehouse.load_hour(load(6))
        except LeaseLost:
            assert time.monotonic() - began > 3, "it was refused without waiting"
        else:
            raise AssertionError("the second load was let in")
    finally:
        Session.run = run  # type: ignore[method-assign]
        first.join()
    assert warehouse.ledger([hour])[hour].sha256 == "7"


def _stage_is_empty(warehouse: SnowflakeWarehouse) -> None:
    left = warehouse.fetch(f"list @{warehouse._names['stage']}")[1]
    assert left == [], left


def _tagged(warehouse: SnowflakeWarehouse) -> None:
    (row,) = warehouse.fetch("show parameters like 'QUERY_TAG'")[1]
    assert "wikipedia-pageviews" in str(row), row


if __name__ == "__main__":
    sys.exit(main())
