"""What one process of one job did. A tick that found nothing to do leaves a Tick and no run."""

from __future__ import annotations

from typing import Literal

from pageviews_core.hour import Hour
from pageviews_core.records.base import Part, Record, Timestamp

Job = Literal["ingestor", "transformer"]
Trigger = Literal["schedule", "manual", "backfill"]
RunState = Literal["running", "succeeded", "failed", "stopped"]
HourOutcomeName = Literal["done", "unchanged", "not_published", "held", "superseded", "failed", "stopped"]


class ErrorReport(Part):
    type: str
    message: str
    traceback: str


class HourOutcome(Part):
    hour: Hour
    outcome: HourOutcomeName
    generation: int | None = None
    rows: int | None = None
    views: int | None = None
    detail: str | None = None
    """The error's text, or who holds the hour."""


class StepTiming(Part):
    name: str
    hours: tuple[Hour, ...]
    started_at: Timestamp
    seconds: float
    succeeded: bool


class RunRecord(Record):
    id: str
    job: Job
    trigger: Trigger
    request: str | None
    """The request's ULID, where one asked for this run's first hour."""
    hours: tuple[HourOutcome, ...]
    state: RunState
    error: ErrorReport | None
    steps: tuple[StepTiming, ...]
    bytes_downloaded: int
    rows: int
    peak_memory_bytes: int
    """Largest resident size of the process, or of one child."""
    host: str
    pod: str | None
    pod_uid: str | None
    version: str
    started_at: Timestamp
    finished_at: Timestamp | None
