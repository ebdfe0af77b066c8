"""The index that runs beside the server: a thread reads the store, and everybody else reads the index."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Self, get_args

import structlog

from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError, UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectInfo, ObjectStore
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from status_api.index.database import Database
from status_api.index.deriving import Deriving
from status_api.index.feed import Feed
from status_api.index.index import Filling, StoreHealth
from status_api.index.reading import Listed, Reading, body_of
from status_api.index.run_rows import RunRows
from status_api.index.writing import Writer
from status_api.settings import StatusSettings

LOOKED_AT_SECONDS, IDLE_SECONDS = 3.0, 30.0
"""Between two looks at the changes feed: while somebody looks, and otherwise."""
WANTED_FOR_SECONDS = 60.0
RECONCILE_SECONDS = 15 * 60.0
_BATCH = 500
_FIRST_WEEKS = 5
"""Read before all others."""

log = structlog.get_logger()


class RunningIndex:
    """Call `start`, or `refresh` as tests do. Never raises what the store does: `store` says that it is down."""

    def __init__(self, store: ObjectStore, settings: StatusSettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._db = Database()
        self._version = 1
        self._filling = Filling(complete=False, read=0, known=0)
        self._health = StoreHealth(up=True, error=None, seen_at=None)
        self._feed = Feed(store, clock)
        self._deriving = Deriving(store, settings, clock)
        self._seen_etags: dict[str, str] = {}
        self._reconciled_at: float | None = None
        self._wanted_until = 0.0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._refreshing = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def version(self) -> int:
        return self._version

    @property
    def filling(self) -> Filling:
        return self._filling

    @property
    def store(self) -> StoreHealth:
        return self._health

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        return self._db.rows(sql, *parameters)

    def wanted(self) -> None:
        now = self._clock.monotonic()
        if now >= self._wanted_until:
            self._wake.set()  # the one who comes first need not wait for the idle pace
        self._wanted_until = now + WANTED_FOR_SECONDS

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=10)
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def refresh(self) -> None:
        """One look at the store, whole if that is due."""
        with self._refreshing:
            try:
                now = self._clock.monotonic()
                if self._reconciled_at is None or now - self._reconciled_at >= RECONCILE_SECONDS:
                    self._reconcile()
                    self._reconciled_at = now
                else:
                    self._follow_changes()
            except PageviewsError as exc:
                self._say_down(exc)
            else:
                self._say_up()
            self._settle()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except Exception:
                if self._stop.is_set():
                    return
                log.exception("index_refresh_failed")
            looked_at = self._clock.monotonic() < self._wanted_until
            self._wake.wait(LOOKED_AT_SECONDS if looked_at else IDLE_SECONDS)
            self._wake.clear()

    def _say_down(self, exc: PageviewsError) -> None:
        if self._health.up:
            log.error("object_store_unreadable", error_type=type(exc).__name__, error=str(exc))
            self._bump()
        self._health = StoreHealth(up=False, error=type(exc).__name__, seen_at=self._health.seen_at)

    def _say_up(self) -> None:
        if not self._health.up:
            log.info("object_store_readable_again")
            self._bump()
        self._health = StoreHealth(up=True, error=None, seen_at=self._clock.now())

    def _bump(self) -> None:
        self._version += 1

    def _reconcile(self) -> None:
        reading = Reading(self._store, self._clock.now())
        first = self._reconciled_at is None
        found: set[str] = set()
        self._feed.begin()  # what is announced from here on is read again
        self._take(reading.few(), found, first=first)
        weeks = _FIRST_WEEKS * 168
        read_since = Hour.newest_ended(self._clock.now()) + (1 - weeks) if first else None
        self._settle(read_since)
        markers: dict[Stage, list[ObjectInfo]] = {stage: reading.markers(stage) for stage in get_args(Stage)}
        known = sum(map(len, markers.values()))
        self._progress(first, known=known)
        compacted = reading.compacted_run_days()
        days = iter(reading.run_days())
        objects = reading.marker_objects(markers)
        # The last weeks of both, which is what the first page shows, before the years behind them.
        self._take(islice(objects, 2 * weeks), found, first=first)
        self._settle(read_since)
        for day in islice(days, 3):
            self._take(reading.runs_of(day, compacted), found, first=first)
        self._settle(read_since)
        self._take(objects, found, first=first)
        for day in days:
            self._take(reading.runs_of(day, compacted), found, first=first)
        self._take(reading.last(), found, first=first)
        self._forget_missing(found)
        self._filling = Filling(complete=True, read=self._filling.read, known=self._filling.read)
        if first:
            self._bump()

    def _progress(self, first: bool, *, known: int = 0, read: int = 0) -> None:
        if first:
            done = self._filling.read + read
            self._filling = Filling(False, done, max(self._filling.known + known, done))

    def _take(self, objects: Iterable[Listed], found: set[str], *, first: bool) -> None:
        objects = iter(objects)
        while batch := list(islice(objects, _BATCH)):
            if self._stop.is_set():
                return
            found.update(each.key for each in batch)
            fresh = [each for each in batch if each.etag is None or self._seen_etags.get(each.key) != each.etag]
            self._write(self._bodies(fresh))
            self._seen_etags.update((each.key, each.etag) for each in fresh if each.etag)
            self._progress(first, read=len(batch))

    def _bodies(self, listed: list[Listed]) -> Iterator[tuple[str, bytes | Listed | None]]:
        for each in listed:
            yield (each.key, each) if each.record is not None else (each.key, body_of(self._store, each.key))

    def _forget_missing(self, found: set[str]) -> None:
        """What was there and is no more: its deletion was missed."""
        gone = [key for key in self._seen_etags if key not in found]
        if gone:
            self._write((key, body_of(self._store, key)) for key in gone)
            for key in gone:
                self._seen_etags.pop(key, None)

    def _follow_changes(self) -> None:
        with self._feed.changed() as changed:
            self._write((key, body_of(self._store, key)) for key in changed)
            for key in changed:
                self._seen_etags.pop(key, None)

    def _write(self, bodies: Iterable[tuple[str, bytes | Listed | None]]) -> None:
        found = list(bodies)  # what takes long, and may fail, before the transaction
        if not found:
            return
        with self._db.writing() as db:
            writer = Writer(db, self._clock.now())
            for key, body in found:
                try:
                    if isinstance(body, Listed):
                        _write_record(writer, body)
                    else:
                        writer.write(key, body)
                except (UnknownSchemaVersion, ValueError) as exc:
                    log.warning("object_not_understood", key=key, error=str(exc))
                    writer.unreadable(key, str(exc))
                else:
                    writer.readable(key)
            writer.flush()
            self._deriving.settle_hours(db, writer.touched.hours)
            if writer.touched.runs:
                self._deriving.runs_changed()
            if self._filling.complete:  # while the index fills that is done once in a while
                self._deriving.count(db)
            if writer.touched.anything or writer.touched.hours:
                self._bump()

    def _settle(self, since: Hour | None = None) -> None:
        leases = self._deriving.leases(self._db) if self._health.up else {}
        with self._db.writing() as db:
            changed = self._deriving.settle_all(db, leases, store_up=self._health.up, since=since)
            self._deriving.count(db)
        if changed:
            self._bump()


def _write_record(writer: Writer, listed: Listed) -> None:
    record = listed.record
    if isinstance(record, RunRows):
        writer.run(record)
    elif isinstance(record, IngestedMarker):
        writer.ingested(record)
    elif isinstance(record, TransformedMarker):
        writer.transformed(record)
