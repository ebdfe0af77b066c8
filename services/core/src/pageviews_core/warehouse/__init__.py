"""The warehouse port and its adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pageviews_core.clock import Clock
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse.base import Warehouse

if TYPE_CHECKING:
    from pageviews_core.warehouse.duckdb_file import DuckDBFile


def open_duckdb_file(settings: JobSettings, clock: Clock, *, engine_memory: int) -> DuckDBFile:
    """The embedded warehouse's file; `engine_memory` in bytes."""
    from pageviews_core.warehouse.duckdb_file import DuckDBFile

    return DuckDBFile(
        path=settings.warehouse_file(),
        memory_limit=engine_memory,
        threads=settings.threads,
        temp_folder=settings.scratch_folder() / "duckdb",
        wait=settings.warehouse_wait,
        clock=clock,
    )


def open_warehouse(settings: JobSettings, clock: Clock, *, engine_memory: int) -> Warehouse:
    """The warehouse that the settings choose; nothing is opened yet. `engine_memory` in bytes."""
    # Imported where it is chosen, and no earlier.
    if settings.warehouse == "snowflake":
        from pageviews_core.warehouse.snowflake import SnowflakeWarehouse
        from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

        return SnowflakeWarehouse(
            read_settings(SnowflakeSettings), clock, schema=settings.warehouse_schema, raw_table=settings.raw_table
        )
    from pageviews_core.warehouse.duckdb import DuckDBWarehouse

    file = open_duckdb_file(settings, clock, engine_memory=engine_memory)
    return DuckDBWarehouse(file, schema=settings.warehouse_schema, raw_table=settings.raw_table)
