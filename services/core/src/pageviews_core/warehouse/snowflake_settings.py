"""How to reach Snowflake; read where it is the warehouse, and nowhere else."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pageviews_core.settings import Duration

_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_$]*$"
CREDITS_PER_HOUR = {
    "XSMALL": 1, "SMALL": 2, "MEDIUM": 4, "LARGE": 8, "XLARGE": 16, "XXLARGE": 32, "XXXLARGE": 64, "X4LARGE": 128,
    "X5LARGE": 256, "X6LARGE": 512,
}  # fmt: skip
"""Of a standard warehouse, as Snowflake's documentation of warehouse sizes has them."""


class SnowflakeSettings(BaseSettings):
    """One way to sign in is needed: a key pair, a token, a workload's identity, or (with a warning) a password."""

    model_config = SettingsConfigDict(
        env_prefix="SNOWFLAKE_", frozen=True, env_ignore_empty=True, populate_by_name=True, hide_input_in_errors=True
    )

    account: str = Field(description="Account identifier, `organisation-account`")
    user: str = Field("", description="The job's own user. Not needed with a workload's identity")
    role: str = Field(description="The job's own role")
    warehouse: str = Field(pattern=_IDENTIFIER, description="Virtual warehouse that computes")
    database: str = Field(pattern=_IDENTIFIER, description="Database of all tables")
    stage_name: str = Field(
        "WIKIPEDIA_PAGEVIEWS_STAGE", pattern=_IDENTIFIER, description="Internal stage that hours are copied from"
    )
    external_stage: str | None = Field(
        None,
        pattern=_IDENTIFIER,
        description="Stage whose URL is PAGEVIEWS_STORE_URL: hours are then copied straight from landing",
    )
    private_key: SecretStr | None = Field(None, description="Private key, PEM")
    private_key_file: Path | None = Field(None, description="Or the file that holds it")
    private_key_passphrase: SecretStr | None = Field(None, description="Of an encrypted key")
    token: SecretStr | None = Field(None, description="OAuth or programmatic access token")
    token_file: Path | None = Field(None, description="Or the file that holds it, read anew at each connection")
    authenticator: Literal["", "OAUTH", "PROGRAMMATIC_ACCESS_TOKEN", "WORKLOAD_IDENTITY"] = Field(
        "", description="How to sign in. Default: by what is set (a token means OAUTH)"
    )
    workload_identity_provider: Literal["AWS", "AZURE", "GCP", "OIDC"] | None = Field(
        None, description="With WORKLOAD_IDENTITY: who says who this is"
    )
    password: SecretStr | None = Field(None, description="Most accounts no longer let a password alone in")
    host: str | None = Field(None, description="Default: from the account")
    port: int = Field(443, ge=1, le=65535, description="Of the host")
    protocol: Literal["https", "http"] = Field("https", description="http for a stand-in on this machine alone")
    statement_timeout: Duration = Field(
        timedelta(minutes=20), ge=timedelta(seconds=1), description="A statement that takes longer is ended"
    )
    lock_timeout: Duration = Field(
        timedelta(minutes=2), ge=timedelta(seconds=1), description="How long to wait for a lock"
    )
    warehouse_size: str = Field("XSMALL", description="Of the virtual warehouse: what credits are estimated by")

    @field_validator("warehouse_size")
    @classmethod
    def _known_size(cls, value: str) -> str:
        size = value.upper().replace("-", "")  # as `2X-Large`, too
        spelt = {"2XLARGE": "XXLARGE", "3XLARGE": "XXXLARGE"}
        size = spelt.get(size) or re.sub(r"^([456])X", r"X\1", size)
        if size not in CREDITS_PER_HOUR:
            raise ValueError(f"a size is one of {', '.join(CREDITS_PER_HOUR)}")
        return size

    @model_validator(mode="after")
    def _can_sign_in(self) -> SnowflakeSettings:
        ways = (self.private_key, self.private_key_file, self.token, self.token_file, self.password)
        if self.authenticator != "WORKLOAD_IDENTITY" and not any(ways):
            raise ValueError(
                "Snowflake needs a way to sign in: SNOWFLAKE_PRIVATE_KEY_FILE (best), SNOWFLAKE_TOKEN_FILE, "
                "SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY, or SNOWFLAKE_PASSWORD"
            )
        if self.authenticator == "WORKLOAD_IDENTITY" and self.workload_identity_provider is None:
            raise ValueError("WORKLOAD_IDENTITY needs SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER (AWS, AZURE, GCP or OIDC)")
        if self.authenticator != "WORKLOAD_IDENTITY" and not self.user:
            raise ValueError("SNOWFLAKE_USER is not set")
        return self

    @property
    def by_key_pair(self) -> bool:
        return bool(self.private_key or self.private_key_file)

    @property
    def by_password_alone(self) -> bool:
        return not (self.by_key_pair or self.token or self.token_file or self.authenticator == "WORKLOAD_IDENTITY")
