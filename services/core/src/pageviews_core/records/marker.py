"""Completion markers: the last object that a stage writes for an hour, created once."""

from __future__ import annotations

from typing import Literal

from pageviews_core.hour import Hour
from pageviews_core.records.base import Part, Record, Timestamp

Stage = Literal["ingested", "transformed"]


class SourceFile(Part):
    """The file as the source served it; sha256 and bytes are of the compressed file."""

    url: str
    etag: str | None
    last_modified: str | None
    bytes: int
    sha256: str


class LineCounts(Part):
    """lines = loaded + rejected."""

    lines: int
    loaded: int
    rejected: int


class ControlDifference(Part):
    domain_code: str
    expected: int | None
    """Views by the control file; None where it lacks the domain."""
    found: int | None


class ControlTotals(Part):
    """The hour's views per domain against Wikimedia's projectviews file of the same hour."""

    state: Literal["matched", "differs", "unavailable"]
    reason: str | None = None
    expected_views: int | None = None
    differing_domains: int = 0
    differences: tuple[ControlDifference, ...] = ()
    """The largest ones only."""


class HourObjects(Part):
    """Keys in the object store."""

    raw: str
    landing: str
    quarantine: str | None


class WarehouseCost(Part):
    """What the work cost a warehouse that is paid by its time."""

    statements: int | None
    """None: dbt does not say."""
    seconds: float
    credits: float
    """Estimated: the seconds at the rate of the warehouse's size, alone on it."""


class IngestedMarker(Record):
    hour: Hour
    generation: int
    source: SourceFile
    rows: LineCounts
    views: int
    control: ControlTotals
    objects: HourObjects
    run_id: str
    attempt: int
    started_at: Timestamp
    finished_at: Timestamp
    traceparent: str
    """W3C trace context, continued by the transformer."""
    version: str
    cost: WarehouseCost | None = None
    """Of the load; None for a warehouse of one's own."""


class NodeResult(Part):
    """One dbt node of the build."""

    name: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None = None
    message: str | None = None


class TransformedMarker(Record):
    hour: Hour
    generation: int
    sha256: str
    """Of the source file that the hour was built from."""
    rows: int
    """In the fact table; equal to the ingested marker's loaded rows."""
    views: int
    invocation_id: str
    nodes: tuple[NodeResult, ...]
    warnings: tuple[str, ...]
    """Names of dbt tests that warned."""
    run_id: str
    started_at: Timestamp
    finished_at: Timestamp
    traceparent: str
    version: str
    cost: WarehouseCost | None = None
    """The hour's share of the batch's models and tests; None for a warehouse of one's own."""
