"""How a person asks for work. A request is open until every hour of it is settled, then closed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pageviews_core.hour import Hour
from pageviews_core.records.base import Record, Timestamp
from pageviews_core.records.run import Job

MAX_HOURS = 10_000
"""Of one request: somewhat over a year."""

ProgressOutcome = Literal["done", "failed"]
RequestKind = Literal["backfill", "transform", "cancel"]


class Request(Record):
    """`backfill`: these hours, loaded and built where missing (with `force`: downloaded and built again); a manual run
    is one of what is owed. `transform`: these hours built again. `cancel`: ends another request. A request is worked on
    even while its job's schedule is suspended."""

    id: str
    kind: RequestKind
    hours: tuple[Hour, ...] = Field(default=(), max_length=MAX_HOURS)
    force: bool = False
    models: tuple[str, ...] = ()
    """For `transform`: dbt models to build; none means all."""
    cancels: str | None = None
    who: str
    why: str
    created_at: Timestamp

    @model_validator(mode="after")
    def _consistent(self) -> Request:
        if (self.kind != "cancel") != bool(self.hours):
            raise ValueError(f"a {self.kind} request {'names no hours' if not self.hours else 'takes no hours'}")
        if (self.kind == "cancel") != (self.cancels is not None):
            raise ValueError("`cancels` belongs to, and is needed by, the kind `cancel`")
        if self.models and self.kind != "transform":
            raise ValueError("only a `transform` request selects models")
        return self


class Progress(Record):
    """One hour of a forced request, done by one job; where nothing is forced the markers tell."""

    request: str
    job: Job
    hour: Hour
    outcome: ProgressOutcome
    run_id: str
    at: Timestamp


class ClosedRequest(Record):
    request: Request
    outcome: Literal["done", "failed", "cancelled"]
    """`failed`: at least one hour failed; the rest was done."""
    failed_hours: tuple[Hour, ...]
    closed_at: Timestamp


class IdempotencyKey(Record):
    """Created before the request that it stands for, so that the same key never makes two."""

    request: str
    """The id that the request has, or will have."""
    digest: str
    """Of what was asked for: the same key with another body is a mistake."""
    created_at: Timestamp
