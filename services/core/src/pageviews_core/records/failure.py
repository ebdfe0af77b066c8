"""Why an hour is not there, and when it will be looked at again. One object for each attempt."""

from __future__ import annotations

from typing import Literal

from pageviews_core.hour import Hour
from pageviews_core.records.base import Record, Timestamp
from pageviews_core.records.marker import Stage

FailureKind = Literal["failed", "unpublished"]


class Failure(Record):
    stage: Stage
    hour: Hour
    kind: FailureKind
    attempt: int
    """1 for the first."""
    failing_since: Timestamp
    at: Timestamp
    next_try_at: Timestamp
    error_type: str
    error: str
    evidence: str | None
    """The key of what the source served, where that was the fault."""
    run_id: str
