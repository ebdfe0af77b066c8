"""The warehouse as the jobs see it: hours go in whole, under a fence, and the ledger remembers what went in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pageviews_core.errors import CountsDiffer
from pageviews_core.hour import Hour
from pageviews_core.records.marker import Stage, WarehouseCost
from pageviews_core.records.run import Job

LEDGER_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class HourLoad:
    """One decoded hour, ready to be loaded."""

    hour: Hour
    parquet: Path
    """Columns domain_code, page_title (VARCHAR) and count_views (BIGINT)."""
    sha256: str
    """Of the source file; with the counts it decides whether this is a new generation."""
    generation_floor: int
    """The least generation to give: the markers may know of one that an emptied warehouse has forgotten."""
    rows: int
    views: int
    run_id: str
    stage: Stage
    """Whose lease the fence is of."""
    fence: int
    landing: str | None = None
    """Key of the landing object with the same bytes, where it is there."""
    restores: bool = False
    """Only puts the rows of generation `generation_floor` back: where a newer one is there, nothing is done."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    generation: int
    sha256: str
    rows: int
    views: int


def generation_of(load: HourLoad, newest: LedgerRow | None) -> tuple[int, bool]:
    """The generation that the load is, and whether it is the ledger's newest once more."""
    again = newest is not None and (newest.sha256, newest.rows, newest.views) == (load.sha256, load.rows, load.views)
    return max(load.generation_floor, newest.generation + (0 if again else 1) if newest else 1), again


def require_counts(load: HourLoad, found: tuple[int, int]) -> None:
    """Raises CountsDiffer unless the raw table took the rows and views that were parsed."""
    if found != (load.rows, load.views):
        raise CountsDiffer(
            f"{load.hour}: parsed {load.rows} rows with {load.views} views, but the raw table took {found[0]} with "
            f"{found[1]}; nothing was changed"
        )


LoadOutcome = Literal["loaded", "unchanged", "restored", "superseded"]


@dataclass(frozen=True, slots=True)
class LoadedHour:
    generation: int
    outcome: LoadOutcome
    """`unchanged`: the same file was already there. `restored`: it was in the ledger, but its raw rows were gone.
    `superseded`: a newer generation, the one given here, was there before a load that `restores`."""
    cost: WarehouseCost | None = None


class Reader(Protocol):
    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Reads, with column names. Each `?` in the text stands for the next parameter."""
        ...


class Warehouse(Reader, Protocol):
    """Every method raises WarehouseUnavailable for what may pass (busy, unreachable, out of disk) and
    ConfigurationError for what will not (no permission, a file of a newer version)."""

    def prepare(self) -> None:
        """Creates schema and tables where missing. Raises UnknownSchemaVersion for a ledger of a newer version."""
        ...

    def create(self) -> None:
        """Makes what is missing. Raises ConfigurationError where that is not allowed."""
        ...

    def missing_grants(self, job: Job) -> list[str]:
        """The statements that give the job the rights it lacks."""
        ...

    def load_hour(self, load: HourLoad) -> LoadedHour:
        """Replaces the hour's raw rows in one transaction that begins by claiming the hour's fence.

        The same file again changes nothing. Raises LeaseLost if a higher fence was seen, CountsDiffer if the table does
        not hold what was parsed; either way nothing is changed.
        """
        ...

    def prepare_fences(self, stage: Stage, hours: Sequence[Hour]) -> None:
        """Makes sure that each hour has a fence row, for the transaction that will claim it."""
        ...

    def ledger(self, hours: Iterable[Hour]) -> Mapping[Hour, LedgerRow]:
        """The newest generation of each hour that was ever loaded."""
        ...

    def hours_without_raw_rows(self, hours: Iterable[Hour]) -> set[Hour]:
        """Those of the hours whose raw rows differ in number from the ledger's newest generation."""
        ...

    def retire(self, table: str, column: str, before: Hour) -> int:
        """Deletes the rows of `table` whose timestamp `column` is before the hour, and says how many they were."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Several reads of one state of the data, over one connection."""
        ...
