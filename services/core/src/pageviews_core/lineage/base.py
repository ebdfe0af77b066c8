"""What is told of a run, in our own terms; an adapter puts it in a receiver's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from ulid import ULID

from pageviews_core.hour import Hour
from pageviews_core.records.run import Job

TaskKind = Literal["JOB", "TASK", "MODEL", "TEST"]
Transformation = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]


@dataclass(frozen=True, slots=True)
class Task:
    """One execution of something that reads and writes: of a job, of an hour's ingest, of a dbt model or its tests."""

    name: str
    id: UUID
    kind: TaskKind
    hours: tuple[Hour, ...] = ()
    """That it is about, in order."""
    parent: Task | None = None
    sql: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """One column that another is computed from."""

    namespace: str
    dataset: str
    column: str
    transformation: Transformation


@dataclass(frozen=True, slots=True)
class Assertion:
    """One test of a dataset, or of one of its columns, and what came out."""

    name: str
    kind: str
    """`not_null`, `unique`, …, or `custom_sql`."""
    success: bool
    severity: str
    """`error`, or `warn`: what it finds holds up nothing."""
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Files or a table. `namespace` and `name` are as OpenLineage's naming page has them."""

    namespace: str
    name: str
    columns: tuple[Column, ...] = ()
    description: str | None = None
    version: str | None = None
    source_file: Mapping[str, str | int | None] | None = None
    """What is known of the file as its server gave it."""
    rows: int | None = None
    """That the task read or wrote."""
    bytes: int | None = None
    """Told together with rows alone."""
    column_lineage: Mapping[str, Sequence[ColumnSource]] = field(default_factory=dict)
    """By the column of this dataset."""
    assertions: Sequence[Assertion] = ()
    """Told of what a task reads."""


Datasets = Sequence[Dataset]


class Lineage(Protocol):
    """Never raises and never waits: what cannot be told is dropped, and counted. Times are aware, UTC."""

    def start(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None: ...

    def complete(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None: ...

    def abort(self, task: Task, at: datetime) -> None:
        """It was given up, by a stop or because another run was faster."""
        ...

    def fail(self, task: Task, at: datetime, error: str) -> None: ...


class NoLineage:
    """Nobody is told."""

    def start(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        pass

    def complete(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        pass

    def abort(self, task: Task, at: datetime) -> None:
        pass

    def fail(self, task: Task, at: datetime, error: str) -> None:
        pass


def task_of_run(job: Job, run_id: str) -> Task:
    """The run itself: its UUID is its ULID's 128 bits."""
    return Task(name=job, id=ULID.from_str(run_id).to_uuid(), kind="JOB")
