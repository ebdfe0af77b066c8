"""Snowflake as the warehouse. An hour's Parquet is staged, then goes in whole, in one transaction, under its fence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from snowflake.connector.errors import Error, ProgrammingError
from ulid import ULID

from pageviews_core.clock import Clock
from pageviews_core.errors import LeaseLost, UnknownSchemaVersion, WarehouseUnavailable
from pageviews_core.hour import Hour
from pageviews_core.records.marker import Stage, WarehouseCost
from pageviews_core.records.run import Job
from pageviews_core.warehouse.base import (
    LEDGER_SCHEMA_VERSION,
    HourLoad,
    LedgerRow,
    LoadedHour,
    LoadOutcome,
    Reader,
    generation_of,
    require_counts,
)
from pageviews_core.warehouse.snowflake_connection import MISSING, Session, connected, is_lost
from pageviews_core.warehouse.snowflake_grants import missing, needed
from pageviews_core.warehouse.snowflake_settings import CREDITS_PER_HOUR, SnowflakeSettings

TABLES = (
    "create schema if not exists {schema}",
    (
        "create table if not exists {raw} ("
        "hour_started_at timestamp_ntz(9) not null, generation number(9, 0) not null, domain_code varchar not null, "
        "page_title varchar not null, count_views number(19, 0) not null) cluster by (hour_started_at)"
    ),
    (
        "create table if not exists {ledger} ("
        "hour_started_at timestamp_ntz(9) not null, generation number(9, 0) not null, sha256 varchar not null, "
        "row_count number(19, 0) not null, view_count number(19, 0) not null, run_id varchar not null, "
        "fence number(19, 0) not null, loaded_at timestamp_ntz(9) not null, schema_version number(9, 0) not null)"
    ),
    (
        "create table if not exists {fence} ("
        "stage varchar not null, hour_started_at timestamp_ntz(9) not null, fence number(19, 0) not null)"
    ),
    "create stage if not exists {stage}",
)
"""Each is DDL, which commits by itself: never inside a load."""

log = structlog.get_logger()


@dataclass(frozen=True)
class _Reader:
    session: Session

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        text = sql.replace("%", "%%").replace("?", "%s") if parameters else sql
        cursor = self.session.run(text, tuple(parameters))
        return [column.name.lower() for column in cursor.description or ()], cursor.fetchall()


class SnowflakeWarehouse:
    """Timestamps are without a zone, in UTC. Nothing is connected, and no warehouse woken, before it is asked."""

    def __init__(self, settings: SnowflakeSettings, clock: Clock, *, schema: str, raw_table: str) -> None:
        self.settings = settings
        self._clock = clock
        self._schema = schema
        qualified = f"{settings.database}.{schema}".upper()
        self._names = {
            "schema": qualified,
            "raw": f"{qualified}.{raw_table.upper()}",
            "ledger": f"{qualified}.PAGEVIEWS_LEDGER",
            "fence": f"{qualified}.PAGEVIEWS_FENCE",
            "stage": f"{qualified}.{settings.stage_name.upper()}",
            "external": f"{qualified}.{(settings.external_stage or '').upper()}",
        }

    def prepare(self) -> None:
        with self._connected({"step": "prepare"}) as session:
            self._prepare(session)

    def create(self) -> None:
        """Makes what is missing. Raises ConfigurationError where the role may not."""
        with self._connected({"step": "create"}) as session:
            for statement in TABLES:
                self._run(session, statement)

    def missing_grants(self, job: Job) -> list[str]:
        names = {**self._names, "warehouse": self.settings.warehouse, "database": self.settings.database}
        wanted = needed(job, names, external_stage=self.settings.external_stage is not None)
        role = self.settings.role
        with self._connected({"step": "check"}) as session:
            found, seen = list[dict[str, Any]](), set[str]()
            roles = [role]
            while roles:
                if (each := roles.pop()) in seen:
                    continue
                seen.add(each)
                cursor = self._run(session, f'show grants to role "{each.upper()}"')
                columns = [column.name.lower() for column in cursor.description]
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
                roles += [str(row["name"]) for row in rows if row["granted_on"] == "ROLE"]
                found += rows
        return [grant.statement(role) for grant in missing(wanted, found)]

    def load_hour(self, load: HourLoad) -> LoadedHour:
        tag = {"run_id": load.run_id, "hour": str(load.hour), "step": "load"}
        with self._connected(tag) as session:
            self._prepare(session)
            self._prepare_fences(session, load.stage, [load.hour])
            began = time.monotonic()
            with self._staged(session, load) as source:
                generation, outcome = self._in_transaction(session, load, source)
            return LoadedHour(generation, outcome, self._cost(session, time.monotonic() - began))

    def _in_transaction(self, session: Session, load: HourLoad, source: str) -> tuple[int, LoadOutcome]:
        self._run(session, "begin")
        try:
            found = self._load(session, load, source)
        except BaseException:
            with suppress(Error):
                self._run(session, "rollback")
            raise
        try:
            self._run(session, "commit")
        except Error as exc:
            if not is_lost(exc):
                raise
            return self._looked_up(load, found, exc)
        return found

    def _looked_up(self, load: HourLoad, found: tuple[int, LoadOutcome], exc: Error) -> tuple[int, LoadOutcome]:
        """The connection broke in COMMIT: the ledger, over a new one, says whether it took effect."""
        log.warning("commit_outcome_unknown", hour=str(load.hour), error=str(exc))
        generation, outcome = found
        with self._connected({"run_id": load.run_id, "hour": str(load.hour), "step": "look up"}) as session:
            row = self._ledger(session, [load.hour]).get(load.hour)
            committed = row is not None and row == LedgerRow(generation, load.sha256, load.rows, load.views)
            if committed and self._counts(session, load.hour, generation) == (load.rows, load.views):
                return generation, outcome
        raise WarehouseUnavailable(
            f"{load.hour}: the connection to Snowflake broke before the load was committed; it is tried again"
        ) from exc

    def _load(self, session: Session, load: HourLoad, source: str) -> tuple[int, LoadOutcome]:
        at = _stored(load.hour)
        # First of all: a lock on the hour, and proof that nobody newer was here. A mere check would be neither.
        claimed = self._run(
            session,
            "update {fence} set fence = %(fence)s "
            "where stage = %(stage)s and hour_started_at = %(at)s::timestamp_ntz and fence <= %(fence)s",
            {"fence": load.fence, "stage": load.stage, "at": at},
        ).rowcount
        if claimed != 1:
            raise LeaseLost(f"{load.hour}: a newer process has claimed this hour; nothing was changed")
        newest = self._ledger(session, [load.hour]).get(load.hour)
        if load.restores and newest and newest.generation > load.generation_floor:
            return newest.generation, "superseded"
        generation, again = generation_of(load, newest)
        if again and self._counts(session, load.hour, generation) == (load.rows, load.views):
            return generation, "unchanged"
        self._run(session, "delete from {raw} where hour_started_at = %(at)s::timestamp_ntz", {"at": at})
        # FORCE: a file counts as loaded for 64 days, also where the transaction was rolled back after all.
        self._run(
            session,
            "copy into {raw} (hour_started_at, generation, domain_code, page_title, count_views) from ("
            "select %(at)s::timestamp_ntz, %(generation)s, $1:domain_code::varchar, $1:page_title::varchar, "
            "$1:count_views::number(19, 0) from @" + source + ") "
            "file_format = (type = parquet) force = true on_error = abort_statement",
            {"at": at, "generation": generation},
        )
        require_counts(load, self._counts(session, load.hour, generation))
        if newest and again and generation == newest.generation:
            return generation, "restored"
        self._run(
            session,
            "insert into {ledger} select %(at)s::timestamp_ntz, %(generation)s, %(sha256)s, %(rows)s, %(views)s, "
            "%(run_id)s, %(fence)s, %(now)s::timestamp_ntz, %(version)s",
            {
                "at": at,
                "generation": generation,
                "sha256": load.sha256,
                "rows": load.rows,
                "views": load.views,
                "run_id": load.run_id,
                "fence": load.fence,
                "now": _text(self._clock.now()),
                "version": LEDGER_SCHEMA_VERSION,
            },
        )
        return generation, "loaded"

    def prepare_fences(self, stage: Stage, hours: Sequence[Hour]) -> None:
        with self._connected({"step": "prepare"}) as session:
            self._prepare(session)
            self._prepare_fences(session, stage, hours)

    def ledger(self, hours: Iterable[Hour]) -> Mapping[Hour, LedgerRow]:
        with self._connected({"step": "ledger"}) as session:
            self._prepare(session)
            return self._ledger(session, hours)

    def hours_without_raw_rows(self, hours: Iterable[Hour]) -> set[Hour]:
        wanted = list(hours)
        if not wanted:
            return set()
        with self._connected({"step": "ledger"}) as session:
            self._prepare(session)
            newest = self._ledger(session, wanted)
            found = {
                (_hour(at), int(generation)): (int(count), int(views))
                for at, generation, count, views in self._run(
                    session,
                    "select hour_started_at, generation, count(*), coalesce(sum(count_views), 0) from {raw} "
                    "where " + _among(wanted) + " group by hour_started_at, generation",
                ).fetchall()
            }
            return {
                hour
                for hour, row in newest.items()
                if found.get((hour, row.generation), (0, 0)) != (row.rows, row.views)
            }

    def retire(self, table: str, column: str, before: Hour) -> int:
        with self._connected({"step": "retire"}) as session:
            sql = f"delete from {{schema}}.{table.upper()} where {column} < %(before)s::timestamp_ntz"
            return int(self._run(session, sql, {"before": _stored(before)}).rowcount or 0)

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self.reading() as reader:
            return reader.fetch(sql, parameters)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """READ COMMITTED is all that Snowflake has: a build that commits in between is seen by the later reads."""
        with self._connected({"step": "read"}) as session:
            yield _Reader(session)

    # The parts.

    def _connected(self, tag: Mapping[str, str]) -> AbstractContextManager[Session]:
        return connected(self.settings, self._schema, tag)

    def _prepare(self, session: Session) -> None:
        """One statement, which Snowflake answers without a warehouse: the tables are there, and of a known version."""
        version = "select max(schema_version) from {ledger}"
        try:
            (newest,) = self._run(session, version).fetchone()
        except ProgrammingError as exc:
            if exc.errno != MISSING:
                raise
            for statement in TABLES:
                self._run(session, statement)
            (newest,) = self._run(session, version).fetchone()
        if (newest or 0) > LEDGER_SCHEMA_VERSION:
            raise UnknownSchemaVersion(
                f"{self._names['ledger']} has schema version {newest}, this program knows {LEDGER_SCHEMA_VERSION}: run "
                "the version that wrote it, or a newer one. Nothing was changed."
            )

    def _prepare_fences(self, session: Session, stage: Stage, hours: Sequence[Hour]) -> None:
        if not hours:
            return
        rows = " union all ".join(f"select '{_stored(hour)}'::timestamp_ntz as hour_started_at" for hour in hours)
        self._run(
            session,
            "insert into {fence} select %(stage)s, given.hour_started_at, 0 from (" + rows + ") as given "
            "where not exists (select 1 from {fence} as known "
            "where known.stage = %(stage)s and known.hour_started_at = given.hour_started_at)",
            {"stage": stage},
        )

    @contextmanager
    def _staged(self, session: Session, load: HourLoad) -> Iterator[str]:
        """Where COPY finds the hour's file and no other: each load stages in a folder of its own, since one that is
        left behind would be copied with the next."""
        if self.settings.external_stage and load.landing:
            yield f"{self._names['external']}/{load.landing}"
            return
        place = f"{self._names['stage']}/{load.stage}/{load.hour}/{load.run_id}-{ULID()}/"
        path = str(load.parquet).replace("\\", "\\\\").replace("'", "\\'")
        session.run(f"put 'file://{path}' @{place} auto_compress = false overwrite = true")
        try:
            yield place
        finally:
            try:
                session.run(f"remove @{place}")
            except Error as exc:
                log.warning("stage_not_cleared", hour=str(load.hour), place=place, error=str(exc))

    def _ledger(self, session: Session, hours: Iterable[Hour]) -> dict[Hour, LedgerRow]:
        wanted = list(hours)
        if not wanted:
            return {}
        rows = self._run(
            session,
            "select hour_started_at, generation, sha256, row_count, view_count from {ledger} "
            "where " + _among(wanted) + " order by generation",
        ).fetchall()
        return {
            _hour(at): LedgerRow(int(generation), sha256, int(rows), int(views))
            for at, generation, sha256, rows, views in rows
        }

    def _counts(self, session: Session, hour: Hour, generation: int) -> tuple[int, int]:
        count, views = self._run(
            session,
            "select count(*), coalesce(sum(count_views), 0) from {raw} "
            "where hour_started_at = %(at)s::timestamp_ntz and generation = %(generation)s",
            {"at": _stored(hour), "generation": generation},
        ).fetchone()
        return int(count), int(views)

    def _cost(self, session: Session, seconds: float) -> WarehouseCost:
        per_second = CREDITS_PER_HOUR[self.settings.warehouse_size] / 3600
        return WarehouseCost(
            statements=len(session.statements),
            seconds=round(seconds, 3),
            credits=round(seconds * per_second, 6),
        )

    def _run(self, session: Session, sql: str, parameters: Mapping[str, Any] | None = None) -> Any:
        return session.run(sql.format(**self._names), parameters)


def _among(hours: Sequence[Hour]) -> str:
    listed = ", ".join(f"'{_stored(hour)}'::timestamp_ntz" for hour in hours)
    return f"hour_started_at in ({listed})"


def _stored(hour: Hour) -> str:
    return _text(hour.started_at)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _hour(at: datetime) -> Hour:
    return Hour(at.replace(tzinfo=UTC))
