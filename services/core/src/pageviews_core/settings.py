"""Settings that every service shares, read from the environment once at start.

Each service subclasses CoreSettings with what only it reads, and calls `read_settings`, which turns a bad value into a
ConfigurationError that names the variable.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pageviews_core.errors import ConfigurationError
from pageviews_core.hour import Hour

_SIZE = re.compile(r"([0-9]+)\s*(B|[KMGT]i?B?)?", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = timedelta(days=10_000)
"""So that no time reckoned with it leaves the calendar."""
_SECRET = re.compile("SECRET|PASSWORD|PASSPHRASE|TOKEN|PRIVATE_KEY|SESSION_KEY|API_KEY|SIGN_IN|WEBHOOK_URL")
_CREDENTIALS = re.compile(r"//[^/@]*@")
"""In a URL."""


def parse_size(value: Any) -> Any:
    """Bytes of `1GiB`, `512Mi`, `800MB` (binary with an i, decimal without) or a plain number."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("a size is a number with a unit, such as 1GiB or 800MB")
    unit = (match[2] or "B").upper()
    base = 1024 if "I" in unit else 1000
    return int(match[1]) * int(base ** "BKMGT".index(unit[0]))


def parse_duration(value: Any) -> Any:
    """A timedelta of `90s`, `45m`, `6h` or `30d`."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is a number with s, m, h or d, such as 45m")
    seconds = float(match[1]) * _SECONDS[match[2].lower()]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"a duration is at most {_LONGEST.days}d")
    return timedelta(seconds=seconds)


Size = Annotated[int, NoDecode, BeforeValidator(parse_size)]
Duration = Annotated[timedelta, NoDecode, BeforeValidator(parse_duration)]
HourSetting = Annotated[Hour, NoDecode]


class CoreSettings(BaseSettings):
    """Where everything is kept, and the bounds of one process."""

    model_config = SettingsConfigDict(
        env_prefix="PAGEVIEWS_", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    local_data_dir: Path = Field(
        Path("data"), validation_alias=AliasChoices("LOCAL_DATA_DIR"), description="Where everything lives by default"
    )
    store_url: str = Field(
        "",
        description="The object store: `file:///folder` or `s3://bucket/prefix`. Default: `objects` in LOCAL_DATA_DIR",
    )
    s3_endpoint_url: str | None = Field(
        None, pattern=r"^https?://[^/@?#]+/?$", description="An S3 that is not Amazon's, such as http://127.0.0.1:7070"
    )
    s3_region: str | None = Field(None, description="The bucket's region. Default: AWS_REGION, or the profile's")
    s3_path_style: bool = Field(False, description="Bucket in the path, not in the host name: most S3 on premises")
    s3_kms_key_id: str | None = Field(
        None, description="KMS key that objects are encrypted with. Default: the bucket's"
    )
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")

    def object_store_url(self) -> str:
        return self.store_url or (self.local_data_dir / "objects").absolute().as_uri()


class JobSettings(CoreSettings):
    """What both jobs read besides."""

    warehouse: Literal["duckdb", "snowflake"] = Field("duckdb", description="The warehouse engine")
    duckdb_path: Path | None = Field(None, description="The embedded warehouse's file. Default: in LOCAL_DATA_DIR")
    warehouse_wait: Duration = Field(
        timedelta(minutes=10), description="How long to wait for another process to close the embedded warehouse"
    )
    warehouse_schema: str = Field(
        "WIKIPEDIA",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        validation_alias=AliasChoices("SNOWFLAKE_SCHEMA"),
        description="Schema of all tables, on either engine",
    )
    raw_table: str = Field(
        "RAW_WIKIPEDIA_PAGEVIEWS",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        validation_alias=AliasChoices("SNOWFLAKE_TABLE_NAME"),
        description="The raw table's name, on either engine",
    )
    memory_limit: Size = Field(
        1024**3, ge=512 * 1024**2, description="Of the job's whole process tree; the engine gets what is left"
    )
    threads: int = Field(2, ge=1, le=64, description="Of the embedded engine")
    run_budget: Duration = Field(
        timedelta(minutes=25), gt=timedelta(0), description="A run starts no new work after this; the rest stays owed"
    )
    start: HourSetting | None = Field(
        None, description="First hour that can be owed. Default: the newest at the first run"
    )
    end: HourSetting | None = Field(None, description="Last hour that can be owed. Default: none")
    retry_after: Duration = Field(
        timedelta(minutes=10), description="First pause of an hour that failed; it doubles each time, up to 6 h"
    )
    sla: Duration = Field(timedelta(hours=6), gt=timedelta(0), description="An hour not published by then is late")
    absent_after: Duration = Field(
        timedelta(days=14),
        gt=timedelta(0),
        description="An hour not published by then no longer holds up the watermark",
    )
    scratch_dir: Path | None = Field(None, description="For temporary files. Default: `scratch` in LOCAL_DATA_DIR")
    cron: str = Field("", description="When `watch` ticks (UTC). Default: the job's own")
    lineage_url: str = Field(
        "",
        validation_alias=AliasChoices("OPENLINEAGE_URL"),
        description="Told of lineage: `http://host:port`, `file:///folder/events.jsonl` or `console:`. Default: nobody",
    )
    lineage_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENLINEAGE_API_KEY"), description="For that receiver, as bearer"
    )
    lineage_namespace: str = Field(
        "wikipedia-pageviews",
        min_length=1,
        validation_alias=AliasChoices("OPENLINEAGE_NAMESPACE"),
        description="Of the jobs in lineage",
    )
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/@?#]+(/[^?#]*)?)?$",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Collector of traces (OTLP over HTTP), such as `http://127.0.0.1:4318`. Default: none",
    )

    def warehouse_file(self) -> Path:
        return (self.duckdb_path or self.local_data_dir / "warehouse.duckdb").absolute()

    def scratch_folder(self) -> Path:
        return (self.scratch_dir or self.local_data_dir / "scratch").absolute()


S = TypeVar("S", bound=BaseSettings)


def environment_name(settings: type[BaseSettings], field: str) -> str:
    """The variable that sets the field."""
    alias = settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"{settings.model_config['env_prefix']}{field}".upper()


def read_settings(settings: type[S]) -> S:
    """Raises ConfigurationError that names each bad variable, what it holds and what is allowed."""
    try:
        return settings()
    except ValidationError as exc:
        problems = "; ".join(_problem(settings, error) for error in exc.errors())
    # Raised out here, so that no traceback carries the values.
    raise ConfigurationError(f"bad setting: {problems}")


def _problem(settings: type[BaseSettings], error: ErrorDetails) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return said  # of settings that do not go together
    place = str(error["loc"][0])
    name = environment_name(settings, place) if place in settings.model_fields else place
    if error["type"] == "missing":
        return f"{name} is not set"
    return f"{name}={_shown(name, os.environ.get(name, error['input']))}: {said}"


def _shown(name: str, given: object) -> str:
    return "***" if _SECRET.search(name) else _CREDENTIALS.sub("//***@", repr(given))
