"""Names of our datasets, as OpenLineage's naming page has them (https://openlineage.io/docs/spec/naming)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pageviews_core.settings import JobSettings, read_settings


@dataclass(frozen=True, slots=True)
class TableNames:
    """Of one warehouse, which `namespace` names."""

    namespace: str
    database: str
    schema: str
    one_file: bool
    """The embedded engine: one database, whatever a program calls it, and names in small letters; else in capitals."""

    def table(self, name: str, *, schema: str | None = None, database: str | None = None) -> str:
        """Where schema or database are not given, they are those of the settings."""
        if self.one_file:
            return f"{self.database}.{schema or self.schema}.{name}".lower()
        return f"{database or self.database}.{schema or self.schema}.{name}".upper()


def table_names(settings: JobSettings) -> TableNames:
    """Raises ConfigurationError for Snowflake settings that are not right."""
    if settings.warehouse == "snowflake":
        from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

        snowflake = read_settings(SnowflakeSettings)
        return TableNames(
            f"snowflake://{snowflake.account}", snowflake.database, settings.warehouse_schema, one_file=False
        )
    file = settings.warehouse_file()
    return TableNames(f"duckdb://{file}", file.stem, settings.warehouse_schema, one_file=True)


def stored(store_url: str, prefix: str) -> tuple[str, str]:
    """Namespace and name of the objects whose keys begin with `prefix`, all of them one dataset."""
    parts = urlsplit(store_url)
    if parts.scheme == "s3":
        return f"s3://{parts.netloc}", f"{parts.path.strip('/')}/{prefix}".strip("/")
    return "file", f"{unquote(parts.path).rstrip('/')}/{prefix}".rstrip("/")


def served(url: str) -> tuple[str, str]:
    """Namespace and name of the files that a web server has in the folder `url`, all of them one dataset."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.strip("/")
