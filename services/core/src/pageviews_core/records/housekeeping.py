"""What the transformer's daily housekeeping did, and the closed days that it compacts into one object each."""

from __future__ import annotations

from datetime import date
from typing import Generic, Literal, TypeVar

from pydantic import Field

from pageviews_core.hour import Hour
from pageviews_core.records.base import Part, Record, Timestamp
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from pageviews_core.records.run import RunRecord

RUNS_BY_DAY = "runs-by-day/"


class TaskReport(Part):
    """The last time that one task ended."""

    ended_at: Timestamp
    seconds: float
    outcome: Literal["done", "unfinished", "failed"]
    """`unfinished`: the run's budget ended first; the next tick goes on."""
    counts: dict[str, int]
    """What was done, by name: how many of each."""
    error: str | None = None


class Claim(Part):
    """One process at a time keeps house."""

    run_id: str
    at: Timestamp


class Housekeeping(Record):
    claim: Claim | None = None
    tasks: dict[str, TaskReport] = Field(default_factory=dict)
    facts_retired_before: Hour | None = None
    """Hours before this one are expired: their facts were retired."""


R = TypeVar("R", bound=Record)


class Original(Part):
    """One version of one object."""

    key: str
    etag: str


class CompactedDay(Record, Generic[R]):
    """The records of one closed UTC day, whole, in the order of their keys."""

    day: date
    records: tuple[R, ...]
    made_from: tuple[Original, ...]
    """One for each record. A listing that differs from it means that the day was reopened."""
    compacted_at: Timestamp


IngestedDay = CompactedDay[IngestedMarker]
TransformedDay = CompactedDay[TransformedMarker]
RunsDay = CompactedDay[RunRecord]


class CompactedDays(Record):
    """Which days are compacted, so that unchanged ones need not be read to know it."""

    digests: dict[str, str]
    """By `YYYY-MM-DD`: of the keys and ETags that the day was made from."""


def markers_by_day(stage: Stage) -> str:
    """The prefix of the stage's compacted days."""
    return f"markers-by-day/{stage}/"


def compacted_day(prefix: str, day: date) -> str:
    """The key of a day below `markers_by_day(…)` or RUNS_BY_DAY."""
    return f"{prefix}{day:%Y/%m/%d}.json"


def compacted_days(prefix: str) -> str:
    """The key of the index below the same prefix."""
    return f"{prefix}index.json"
