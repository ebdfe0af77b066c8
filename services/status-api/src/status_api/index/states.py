"""Which state an hour is in, and what is to be said of it: pure functions of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pageviews_core.hour import Hour
from status_api.queries.answers import HourState

UNUSUAL_BELOW, UNUSUAL_ABOVE = 0.5, 2.0
"""Views against the same hour a week before."""


@dataclass(frozen=True, slots=True)
class Known:
    """Of one hour. Generations are 0 where there is no marker."""

    hour: Hour
    ingested: int = 0
    transformed: int = 0
    failed: bool = False
    """An attempt failed since the last success, at the stage that is owed."""
    unpublished: bool = False
    """The source was asked, and had nothing."""
    running: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Delays:
    sla: timedelta
    absent_after: timedelta


def state_of(known: Known, now: datetime, delays: Delays) -> HourState:
    if known.expired and known.transformed:
        return "expired"
    if known.running:
        return "running"
    if known.ingested and known.transformed >= known.ingested:
        return "complete"
    if known.failed:
        return "failed"
    if known.ingested:
        return "ingested"
    age = now - known.hour.ended_at
    if known.unpublished and age >= delays.absent_after:
        return "absent"
    if age < delays.sla:
        return "waiting"
    return "late" if known.unpublished else "missing"


def warnings_of(
    *, rejected: int, control_state: str | None, test_warnings: bool, ingested: int, transformed: int,
    views: int | None, week_before: int | None,
) -> list[str]:  # fmt: skip
    """In a fixed order; `views` and `week_before` are of complete hours."""
    found = []
    if rejected:
        found.append("rejected_lines")
    if control_state == "differs":
        found.append("control_differs")
    if transformed and ingested > transformed:
        found.append("restatement_pending")
    if test_warnings:
        found.append("test_warned")
    if views is not None and week_before and not UNUSUAL_BELOW <= views / week_before <= UNUSUAL_ABOVE:
        found.append("views_unusual")
    return found
