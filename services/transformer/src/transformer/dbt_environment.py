"""What the dbt project reads from the environment, computed from the settings."""

from __future__ import annotations

from transformer.settings import TransformerSettings


def dbt_environment(settings: TransformerSettings, *, engine_memory: int) -> dict[str, str]:
    """`engine_memory` in bytes."""
    return {
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DO_NOT_TRACK": "1",
        "PAGEVIEWS_DUCKDB_PATH": str(settings.warehouse_file()),
        "PAGEVIEWS_DUCKDB_MEMORY_LIMIT": f"{engine_memory}B",
        "PAGEVIEWS_DUCKDB_THREADS": str(settings.threads),
        "PAGEVIEWS_DUCKDB_TEMP_DIRECTORY": str(settings.scratch_folder() / "duckdb"),
        "PAGEVIEWS_WAREHOUSE": settings.warehouse,
        "SNOWFLAKE_SCHEMA": settings.warehouse_schema,
        "SNOWFLAKE_TABLE_NAME": settings.raw_table,
    }
