"""What the transformer hands to the child process that holds the warehouse, and what it gets back."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from pageviews_core.hour import Hour
from pageviews_core.records.marker import NodeResult, WarehouseCost

_RESULT = "batch_result "


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BatchHour(_Message):
    """One hour to build, from its ingested marker; `landing` and `raw` are keys."""

    hour: Hour
    generation: int
    sha256: str
    rows: int
    views: int
    fence: int
    landing: str
    raw: str


class Retirement(_Message):
    """Rows to delete: those of `table` whose timestamp `column` is before the hour."""

    table: str
    column: str
    before: Hour


class Batch(_Message):
    """What one child process does: build the hours, publish if it is the last of the tick, delete old rows."""

    run_id: str
    hours: tuple[BatchHour, ...]
    models: tuple[str, ...] = ()
    """dbt selectors; none means all."""
    publish: bool = False
    retire: tuple[Retirement, ...] = ()


class BuiltHour(_Message):
    """What the fact table holds."""

    rows: int
    views: int


class BatchError(_Message):
    """`type` is the name of one of the pipeline's errors."""

    type: str
    message: str


class BatchResult(_Message):
    built: dict[str, BuiltHour] = {}
    """By the hour's text."""
    superseded: dict[str, str] = {}
    """Hours that a newer generation overtook, with what was found."""
    failed: dict[str, BatchError] = {}
    """Hours with a fault of their own."""
    overtaken: str | None = None
    """Why nothing was built: another process was in the warehouse just before dbt. To be tried again."""
    error: BatchError | None = None
    """Of the batch as a whole."""
    invocation_id: str = ""
    nodes: tuple[NodeResult, ...] = ()
    cost: WarehouseCost | None = None
    """Of each of the hours."""
    warnings: tuple[str, ...] = ()
    published: bool = False
    table_rows: dict[str, int] = {}
    """Of the hours, by model; empty where lineage is not told."""
    retired: int = 0
    """Rows deleted."""

    def as_line(self) -> str:
        """For the child's standard output, among the lines of its log."""
        return _RESULT + self.model_dump_json()

    @classmethod
    def of_line(cls, line: str) -> Self | None:
        """None where the line is another one. Raises ValidationError where it was cut off."""
        return cls.model_validate_json(line.removeprefix(_RESULT)) if line.startswith(_RESULT) else None
