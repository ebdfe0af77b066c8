"""What the transformer reads from the environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, field_validator

from pageviews_core.errors import ConfigurationError
from pageviews_core.settings import Duration, JobSettings
from transformer.watched import watched_articles

_PACKAGED = Path(__file__).parent / "dbt_project"
_CHECKOUT = Path(__file__).parents[2] / "dbt"


class TransformerSettings(JobSettings):
    max_batch_hours: int = Field(24, ge=1, le=168, description="Hours of one dbt invocation, at most")
    max_batch_rows: int = Field(
        28_000_000, ge=1, description="Rows of one dbt invocation, at most; a full hour has 7 million, one always goes"
    )
    dbt_project: Path | None = Field(None, description="The dbt project. Default: the one that comes with the program")
    dbt_manifest: Path | None = Field(
        None, description="A manifest made by the verb `prepare`. Default: made once, in scratch"
    )
    retain_raw_rows: Duration = Field(timedelta(days=2), description="Rows of the raw table")
    retain_staging: Duration = Field(timedelta(days=2), description="Rows of the staging table")
    retain_facts: Duration | None = Field(None, description="Rows of facts and marts. Default: for ever")
    retain_raw_objects: Duration = Field(timedelta(days=30), description="Files as the source served them")
    retain_landing: Duration = Field(timedelta(days=7), description="Decoded hours in the object store")
    retain_quarantine: Duration = Field(timedelta(days=90), description="Rejected lines and refused files")
    retain_runs: Duration = Field(timedelta(days=90), description="Run records, their logs and dbt artifacts")
    watch: str = Field(
        "", description="Articles to follow in the published results, such as `en.wikipedia/Earth de.wikipedia/Erde`"
    )

    @field_validator("watch")
    @classmethod
    def _names_articles(cls, value: str) -> str:
        try:
            watched_articles(value)
        except ConfigurationError as exc:
            raise ValueError(str(exc)) from exc
        return value

    def dbt_project_folder(self) -> Path:
        return self.dbt_project or (_PACKAGED if _PACKAGED.exists() else _CHECKOUT)
