"""What the ingestor reads from the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator, model_validator

from pageviews_core.settings import Duration, JobSettings

WIKIMEDIA = "https://dumps.wikimedia.org/other/pageviews"


class IngestorSettings(JobSettings):
    source_url: str = Field(WIKIMEDIA, description="Base of the dumps; a mirror has the source's own folders below it")
    contact: str = Field(
        "", max_length=200, description="E-mail or address of who runs this, for the User-Agent; Wikimedia requires it"
    )
    max_download_workers: int = Field(
        2, ge=1, le=3, validation_alias=AliasChoices("MAX_DOWNLOAD_WORKERS"),
        description="Downloads at a time, of this hour and of the next ones; Wikimedia asks for at most 3",
    )  # fmt: skip
    max_hours_per_run: int = Field(24, ge=1, le=10_000, description="1 = exactly one file per run")
    max_rejected_share: float = Field(
        0.01, ge=0, le=1, description="An hour with a larger share of rejected lines fails"
    )
    recheck_window: Duration = Field(
        timedelta(hours=48), description="For so long the source is asked whether it restated an hour; 0s: never"
    )
    recheck_after: Duration = Field(
        timedelta(hours=1),
        gt=timedelta(0),
        description="Pause before the first such question; it doubles each time, up to a day",
    )

    @field_validator("source_url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an http or https address, such as " + WIKIMEDIA)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.start and self.end and self.end < self.start:
            raise ValueError("PAGEVIEWS_END lies before PAGEVIEWS_START")
        return self

    @property
    def contact_needed(self) -> bool:
        return not self.contact and (urlsplit(self.source_url).hostname or "").endswith("wikimedia.org")
