"""What the dbt project reads from the environment, computed from the settings."""

from __future__ import annotations

import base64

from pageviews_core.settings import read_settings
from transformer.settings import TransformerSettings


def dbt_environment(settings: TransformerSettings, *, engine_memory: int) -> dict[str, str]:
    """`engine_memory` in bytes. Raises ConfigurationError for Snowflake settings that are not right."""
    return {
        **(_snowflake() if settings.warehouse == "snowflake" else {}),
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


def _snowflake() -> dict[str, str]:
    """As the profile reads it; dbt keeps what is named DBT_ENV_SECRET out of its logs."""
    from pageviews_core.warehouse.snowflake_connection import sign_in
    from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

    settings = read_settings(SnowflakeSettings)
    given = sign_in(settings)
    return {
        "SNOWFLAKE_ACCOUNT": settings.account,
        "SNOWFLAKE_USER": settings.user,
        "SNOWFLAKE_ROLE": settings.role,
        "SNOWFLAKE_WAREHOUSE": settings.warehouse,
        "SNOWFLAKE_DATABASE": settings.database,
        "SNOWFLAKE_HOST": settings.host or "",
        "SNOWFLAKE_PORT": str(settings.port),
        "SNOWFLAKE_PROTOCOL": settings.protocol,
        "SNOWFLAKE_AUTHENTICATOR": str(given.get("authenticator", "")).lower(),
        "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": settings.workload_identity_provider or "",
        "DBT_ENV_SECRET_SNOWFLAKE_PRIVATE_KEY": base64.b64encode(given.get("private_key", b"")).decode(),
        "DBT_ENV_SECRET_SNOWFLAKE_TOKEN": given.get("token", ""),
        "DBT_ENV_SECRET_SNOWFLAKE_PASSWORD": given.get("password", ""),
    }
