"""A warehouse of either engine, empty, and hours to load into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from tests import samples
from tests.fake_clock import FakeClock

from pageviews_core.warehouse.base import HourLoad, Warehouse
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.snowflake import SnowflakeWarehouse
from pageviews_core.warehouse.snowflake_connection import connected

HOUR = samples.hour()
RAW = "WIKIPEDIA.RAW_WIKIPEDIA_PAGEVIEWS"
FIRST = (("en", "Earth", 3), ("de.m", 'Die_"Erde"', 2))
RESTATED = (("en", "Earth", 4), ("en", "Mars\\Phobos", 1), ("fr", "Terre", 1))


class WarehouseBench:
    def __init__(self, folder: Path, warehouse: Warehouse, clock: FakeClock) -> None:
        self.folder = folder
        self.warehouse = warehouse
        self.clock = clock

    def parquet(self, *rows: tuple[str, str, int]) -> Path:
        path = self.folder / f"{abs(hash(rows))}.parquet"
        with duckdb.connect() as db:
            db.execute("create table t (domain_code varchar, page_title varchar, count_views bigint)")
            if rows:
                db.executemany("insert into t values (?, ?, ?)", [list(row) for row in rows])
            db.execute(f"copy t to '{path}' (format parquet)")
        return path

    def hour_load(self, *rows: tuple[str, str, int], **changes: Any) -> HourLoad:
        load = HourLoad(
            hour=HOUR,
            parquet=self.parquet(*rows),
            sha256=str(hash(rows)),
            generation_floor=1,
            rows=len(rows),
            views=sum(views for _, _, views in rows),
            run_id="01JD4Q2Z5V0000000000000001",
            stage="ingested",
            fence=1,
        )
        return replace(load, **changes)

    def load(self, *rows: tuple[str, str, int], **changes: Any) -> tuple[int, str]:
        loaded = self.warehouse.load_hour(self.hour_load(*rows, **changes))
        return loaded.generation, loaded.outcome

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.warehouse.fetch(sql)[1]

    def execute(self, sql: str) -> None:
        """As another client of the warehouse would."""
        if isinstance(self.warehouse, DuckDBWarehouse):
            with self.warehouse.file.connect() as db:
                db.execute(sql)
        else:
            assert isinstance(self.warehouse, SnowflakeWarehouse)
            with connected(self.warehouse.settings, "WIKIPEDIA", {}) as session:
                session.run(sql)

    def raw(self) -> list[tuple[Any, ...]]:
        return sorted(self.ask(f"select generation, domain_code, page_title, count_views from {RAW}"))

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that a refused load must leave as it was."""
        tables = (RAW, "WIKIPEDIA.pageviews_ledger", "WIKIPEDIA.pageviews_fence")
        return [sorted(self.ask(f"select * from {table}")) for table in tables]
