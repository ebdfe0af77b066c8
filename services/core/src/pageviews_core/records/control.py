"""The few objects that steer the jobs, and the changes feed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from ulid import ULID

from pageviews_core.hour import Hour
from pageviews_core.records.base import Part, Record, Timestamp
from pageviews_core.records.run import Job


class Start(Record):
    """The first hour that can be owed, settled at the first run where PAGEVIEWS_START is not set."""

    hour: Hour


class Settled(Record):
    """The watermark: every hour from `start` up to, not including, `before` is complete, absent or expired."""

    start: Hour
    before: Hour
    written_as: str = Field(default_factory=lambda: str(ULID()))
    """So that no two writes have one ETag: who raised it back to where it was must not look like nobody."""


class Schedules(Record):
    """Jobs whose schedule a person switched off. Requests are still taken."""

    suspended: tuple[Job, ...] = ()


class Recheck(Part):
    """When a loaded hour is next compared with the source, how often it was, and what the source had."""

    checks: int
    next_at: Timestamp
    etag: str | None = None
    last_modified: str | None = None


class Rechecks(Record):
    """The recent hours that the source may still restate."""

    hours: dict[str, Recheck] = Field(default_factory=dict)
    """By the hour's text."""


class Tick(Record):
    """The last look of a job at what is owed."""

    job: Job
    at: Timestamp
    outcome: Literal["idle", "worked", "suspended", "failed"]
    owed: int
    """Hours owed when it looked."""
    run_id: str | None
    detail: str | None = None
    seconds: float
    store_requests: int
    version: str


class Change(Record):
    """An object that others read was written or deleted."""

    kind: str
    key: str
