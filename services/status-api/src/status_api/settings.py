"""What the status API reads from the environment."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, AliasChoices, Field, field_validator

from pageviews_core.records.request import MAX_HOURS
from pageviews_core.settings import CoreSettings, Duration, HourSetting

SHORTEST_SECRET = 32


def _a_cron(text: str) -> str:
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as exc:
        raise ValueError(f"{exc}; five fields, as in `15-55/10 * * * *`") from exc
    return text


Cron = Annotated[str, AfterValidator(_a_cron)]


class StatusSettings(CoreSettings):
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to serve on; in a container 0.0.0.0, to be reached from outside"
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to serve on; 0 takes any free one and logs it")
    warehouse_schema: str = Field(
        "WIKIPEDIA",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        validation_alias=AliasChoices("SNOWFLAKE_SCHEMA"),
        description="Schema of all tables, on either engine",
    )
    start: HourSetting | None = Field(
        None, description="First hour that is expected. Default: as the ingestor settled it"
    )
    end: HourSetting | None = Field(None, description="Last hour that is expected. Default: none")
    sla: Duration = Field(timedelta(hours=6), gt=timedelta(0), description="An hour not published by then is late")
    absent_after: Duration = Field(
        timedelta(days=14), gt=timedelta(0), description="An hour not published by then is absent"
    )
    ingestor_cron: Cron = Field(
        "15-55/10 * * * *", description="When the ingestor ticks (UTC): to say what is next and missed"
    )
    transformer_cron: Cron = Field("*/5 * * * *", description="When the transformer ticks (UTC)")
    scheduler: Literal["watch", "kubernetes"] = Field(
        "watch", description="What starts the jobs: their own `watch`, or CronJobs, of which Kubernetes is then asked"
    )
    kubernetes_namespace: str = Field("", description="Where the CronJobs are. Default: where this service runs")
    ingestor_cronjob: str = Field("ingestor", min_length=1, description="Name of the ingestor's CronJob")
    transformer_cronjob: str = Field("transformer", min_length=1, description="Name of the transformer's CronJob")
    nudge: bool = Field(
        False, description="On Kubernetes, start a job at once for a request; needs the right to create Jobs"
    )
    max_request_hours: int = Field(1_000, ge=1, le=MAX_HOURS, description="Most hours of one request")
    tokens_file: Path | None = Field(
        None,
        description="JSON list of tokens, as `pageviews-status-api token` makes them. Default: read-only",
    )
    anonymous: Literal["viewer", "none"] = Field(
        "viewer", description="What one without a token may do: look, or nothing"
    )
    session_key: str = Field(
        "", description="Signs the page's sessions; the same for all replicas. Default: made at start", repr=False
    )
    session_key_file: Path | None = Field(None, description="File with that key, such as a mounted Secret")
    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        description="Host names under which the page may be asked for, with commas; `*` is any, which is not safe",
    )
    trusted_proxies: str = Field("", description="Addresses or networks, with commas, whose forwarded headers count")
    proxy_user_header: str = Field("", description="Header in which such a proxy names the user, as X-Forwarded-User")
    proxy_operators: str = Field("", description="Names of those users, with commas, who are operators")
    one_time_sign_in: str = Field(
        "",
        description="Secret of 32 characters or more that signs one operator in, at /sign-in/once",
        repr=False,
    )

    page_url: str = Field(
        "", pattern=r"^(https?://[^\s?#]+)?$", description="Where people reach the page, for links in notifications"
    )
    webhook_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        repr=False,
        description="Posts problems there, and their ends, where no Prometheus does. Default: nowhere",
    )
    webhook_format: Literal["cloudevents", "slack"] = Field(
        "cloudevents", description="CloudEvents 1.0, or what Slack's incoming webhooks take"
    )
    webhook_secret: str = Field(
        "", repr=False, description="Signs each post as Standard Webhooks says: `whsec_` and 24 to 64 bytes in base64"
    )
    webhook_after: Duration = Field(
        timedelta(minutes=15), description="A problem is told once it has stood for so long, its end likewise"
    )

    @field_validator("page_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: str) -> str:
        if not value:
            return value
        try:
            key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not 24 <= len(key) <= 64:
            raise ValueError("`whsec_` and 24 to 64 bytes in base64, as `openssl rand -base64 32` makes them")
        return value

    @field_validator("one_time_sign_in")
    @classmethod
    def _long(cls, value: str) -> str:
        if value and len(value) < SHORTEST_SECRET:
            raise ValueError(f"at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in named(value):
            ip_network(network, strict=False)
        return value


def named(value: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in value.split(",") if part.strip()]
