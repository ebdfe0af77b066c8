"""The embedded warehouse: one DuckDB file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pageviews_core.errors import LeaseLost, UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.records.marker import Stage
from pageviews_core.records.run import Job
from pageviews_core.warehouse.base import (
    LEDGER_SCHEMA_VERSION,
    HourLoad,
    LedgerRow,
    LoadedHour,
    Reader,
    generation_of,
    require_counts,
)
from pageviews_core.warehouse.duckdb_file import DuckDBFile

_TABLES = """
create schema if not exists {schema};
create table if not exists {raw} (
    hour_started_at timestamp not null, generation integer not null, domain_code varchar not null,
    page_title varchar not null using compression zstd, count_views bigint not null);
create table if not exists {ledger} (
    hour_started_at timestamp not null, generation integer not null, sha256 varchar not null,
    row_count bigint not null, view_count bigint not null, run_id varchar not null, fence bigint not null,
    loaded_at timestamp not null, schema_version integer not null);
create table if not exists {fence} (
    stage varchar not null, hour_started_at timestamp not null, fence bigint not null);
"""


@dataclass(frozen=True)
class _Reader:
    db: duckdb.DuckDBPyConnection

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        result = self.db.execute(sql, list(parameters))
        return [column[0] for column in result.description or ()], result.fetchall()


class DuckDBWarehouse:
    """Timestamps are stored without a zone, in UTC. Names come from settings that admit plain identifiers alone."""

    def __init__(self, file: DuckDBFile, *, schema: str, raw_table: str) -> None:
        self.file = file
        schema, raw_table = schema.lower(), raw_table.lower()  # as dbt spells them, and it compares by the letter
        self._names = {
            "schema": schema,
            "raw": f"{schema}.{raw_table}",
            "ledger": f"{schema}.pageviews_ledger",
            "fence": f"{schema}.pageviews_fence",
        }

    def prepare(self) -> None:
        with self.file.connect() as db:
            self._prepare(db)

    def create(self) -> None:
        self.prepare()

    def missing_grants(self, job: Job) -> list[str]:  # noqa: ARG002 - as the port has it
        """None: whoever may write the file may do all."""
        return []

    def load_hour(self, load: HourLoad) -> LoadedHour:
        with self.file.connect() as db:
            self._prepare(db)
            self._prepare_fences(db, load.stage, [load.hour])
            db.execute("begin")
            try:
                loaded = self._load(db, load)
                self._commit(db)
            except BaseException:
                with suppress(duckdb.Error):  # a commit that failed has rolled back by itself
                    db.execute("rollback")
                raise
            return loaded

    def _commit(self, db: duckdb.DuckDBPyConnection) -> None:
        db.execute("commit")

    def _load(self, db: duckdb.DuckDBPyConnection, load: HourLoad) -> LoadedHour:
        at = _stored(load.hour)
        # First of all: a lock on the hour, and proof that nobody newer was here. A mere check would be neither.
        claimed = self._run(
            db,
            "update {fence} set fence = $fence where stage = $stage and hour_started_at = $at and fence <= $fence",
            {"fence": load.fence, "stage": load.stage, "at": at},
        ).fetchone()
        if claimed != (1,):
            raise LeaseLost(f"{load.hour}: a newer process has claimed this hour; nothing was changed")
        newest = self._ledger(db, [load.hour]).get(load.hour)
        if load.restores and newest and newest.generation > load.generation_floor:
            return LoadedHour(newest.generation, "superseded")
        generation, again = generation_of(load, newest)
        if again and self._counts(db, at, generation) == (load.rows, load.views):
            return LoadedHour(generation, "unchanged")
        self._run(db, "delete from {raw} where hour_started_at = $at", {"at": at})
        self._run(
            db,
            "insert into {raw} "
            "select $at, $generation, domain_code, page_title, count_views from read_parquet($parquet)",
            {"at": at, "generation": generation, "parquet": str(load.parquet)},
        )
        require_counts(load, self._counts(db, at, generation))
        if newest and again and generation == newest.generation:
            return LoadedHour(generation, "restored")
        self._run(
            db,
            "insert into {ledger} values ($at, $generation, $sha256, $rows, $views, $run_id, $fence, $now, $version)",
            {
                "at": at,
                "generation": generation,
                "sha256": load.sha256,
                "rows": load.rows,
                "views": load.views,
                "run_id": load.run_id,
                "fence": load.fence,
                "now": self.file.clock.now().replace(tzinfo=None),
                "version": LEDGER_SCHEMA_VERSION,
            },
        )
        return LoadedHour(generation, "loaded")

    def prepare_fences(self, stage: Stage, hours: Sequence[Hour]) -> None:
        with self.file.connect() as db:
            self._prepare(db)
            self._prepare_fences(db, stage, hours)

    def ledger(self, hours: Iterable[Hour]) -> Mapping[Hour, LedgerRow]:
        with self.file.connect() as db:
            self._prepare(db)
            return self._ledger(db, hours)

    def hours_without_raw_rows(self, hours: Iterable[Hour]) -> set[Hour]:
        with self.file.connect() as db:
            self._prepare(db)
            newest = self._ledger(db, hours)
            return {
                hour
                for hour, row in newest.items()
                if self._counts(db, _stored(hour), row.generation) != (row.rows, row.views)
            }

    def retire(self, table: str, column: str, before: Hour) -> int:
        with self.file.connect() as db:
            sql = f"delete from {self._names['schema']}.{table} where {column} < $before"
            deleted = db.execute(sql, {"before": _stored(before)}).fetchone()
            return int(deleted[0]) if deleted else 0

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self.reading() as reader:
            return reader.fetch(sql, parameters)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        # While the file is open here no other process can open it for writing: one state of the data.
        with self.file.connect(read_only=True) as db:
            yield _Reader(db)

    def _prepare(self, db: duckdb.DuckDBPyConnection) -> None:
        self._run(db, _TABLES)
        newest = self._run(db, "select max(schema_version) from {ledger}").fetchone()
        if newest and (newest[0] or 0) > LEDGER_SCHEMA_VERSION:
            raise UnknownSchemaVersion(
                f"{self.file.path}: the ledger has schema version {newest[0]}, this program knows "
                f"{LEDGER_SCHEMA_VERSION}: run the version that wrote it, or a newer one. Nothing was changed."
            )

    def _prepare_fences(self, db: duckdb.DuckDBPyConnection, stage: Stage, hours: Iterable[Hour]) -> None:
        for hour in hours:
            self._run(
                db,
                "insert into {fence} select $stage, $at, 0 where not exists "
                "(select 1 from {fence} where stage = $stage and hour_started_at = $at)",
                {"stage": stage, "at": _stored(hour)},
            )

    def _ledger(self, db: duckdb.DuckDBPyConnection, hours: Iterable[Hour]) -> dict[Hour, LedgerRow]:
        rows = self._run(
            db,
            "select hour_started_at, generation, sha256, row_count, view_count from {ledger} "
            "where hour_started_at in (select unnest($hours::timestamp[])) order by generation",
            {"hours": [_stored(hour) for hour in hours]},
        ).fetchall()
        return {Hour(at.replace(tzinfo=UTC)): LedgerRow(*row) for at, *row in rows}

    def _counts(self, db: duckdb.DuckDBPyConnection, at: datetime, generation: int) -> tuple[int, int]:
        counts = self._run(
            db,
            "select count(*), coalesce(sum(count_views), 0)::bigint from {raw} "
            "where hour_started_at = $at and generation = $generation",
            {"at": at, "generation": generation},
        ).fetchone()
        return (int(counts[0]), int(counts[1])) if counts else (0, 0)

    def _run(
        self, db: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        return db.execute(sql.format(**self._names), parameters or {})


def _stored(hour: Hour) -> datetime:
    return hour.started_at.replace(tzinfo=None)
