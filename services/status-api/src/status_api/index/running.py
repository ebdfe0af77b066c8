"""The index that runs beside the server: a thread reads the store, and everybody else reads the index."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Self, get_args

import structlog
from ulid import ULID

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError, UnknownSchemaVersion
from pageviews_core.hour import Hour, hour_range
from pageviews_core.lease import LeaseRecord, lease_key
from pageviews_core.object_store.base import ObjectInfo, ObjectNotFound, ObjectStore
from pageviews_core.records.control import Change
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from pageviews_core.records.run import Job
from status_api.index.database import Database
from status_api.index.index import Filling, StoreHealth
from status_api.index.reading import Listed, Reading
from status_api.index.run_rows import RunRows
from status_api.index.settling import count_hours, count_runs, set_running, settle_hour
from status_api.index.states import Delays
from status_api.index.writing import Writer
from status_api.settings import StatusSettings

LOOKED_AT_SECONDS, IDLE_SECONDS = 3.0, 30.0
"""Between two looks at the changes feed: while somebody looks, and otherwise."""
WANTED_FOR_SECONDS = 60.0
RECONCILE_SECONDS = 15 * 60.0
FEED_REACH = timedelta(minutes=10)
"""Clocks differ: changes may come with an id from so long ago."""
LOST_AFTER = timedelta(minutes=5)
"""Without a lease, and without a sign of life."""
_YOUNG = timedelta(minutes=2)
_BATCH = 500
_LEASED_HOURS = 72
"""The newest that are not complete: others are not worked on without a run's saying so for long."""

log = structlog.get_logger()


class RunningIndex:
    """Call `start`, or `refresh` as tests do. Never raises what the store does: `store` says that it is down."""

    def __init__(self, store: ObjectStore, settings: StatusSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._db = Database()
        self._version = 1
        self._filling = Filling(complete=False, read=0, known=0)
        self._health = StoreHealth(up=True, error=None, seen_at=None)
        self._seen_changes: dict[str, None] = {}
        self._seen_etags: dict[str, str] = {}
        self._seen_ticks: dict[str, bytes | None] = {}
        self._uncounted = True
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

    # Reading everything.

    def _reconcile(self) -> None:
        reading = Reading(self._store, self._clock.now())
        first = self._reconciled_at is None
        found: set[str] = set()
        self._remember_changes()  # what is announced from here on is read again
        self._take(reading.few(), found, first=first)
        self._settle()
        markers: dict[Stage, list[ObjectInfo]] = {stage: reading.markers(stage) for stage in get_args(Stage)}
        known = sum(map(len, markers.values()))
        self._progress(first, known=known)
        compacted = reading.compacted_run_days()
        days = iter(reading.run_days())
        objects = {stage: reading.marker_objects(stage, infos) for stage, infos in markers.items()}
        # The last five weeks of both, which is what the first page shows, before the years behind them.
        for stage in objects:
            self._take(islice(objects[stage], 35 * 24), found, first=first)
        self._settle()
        for day in islice(days, 3):
            self._take(reading.runs_of(day, compacted), found, first=first)
        self._settle()
        for stage in objects:
            self._take(objects[stage], found, first=first)
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
            yield (each.key, each) if each.record is not None else (each.key, self._body(each.key))

    def _body(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)[0]
        except ObjectNotFound:
            return None

    def _forget_missing(self, found: set[str]) -> None:
        """What was there and is no more: its deletion was missed."""
        gone = [key for key in self._seen_etags if key not in found]
        if gone:
            self._write((key, self._body(key)) for key in gone)
            for key in gone:
                self._seen_etags.pop(key, None)

    # Following.

    def _changes_since(self) -> Iterator[str]:
        since = str(ULID.from_datetime(self._clock.now() - FEED_REACH))[:10]
        yield from (info.key for info in self._store.list(keys.CHANGES, start_after=f"{keys.CHANGES}{since}"))

    def _remember_changes(self) -> None:
        self._seen_changes = dict.fromkeys(self._changes_since())

    def _follow_changes(self) -> None:
        listed = list(self._changes_since())
        changed: dict[str, None] = {}
        for key in listed:
            if key in self._seen_changes:
                continue
            body = self._body(key)
            try:
                if body is not None:
                    changed[Change.decode(body, key).key] = None
            except UnknownSchemaVersion as exc:
                log.warning("change_not_understood", key=key, error=str(exc))
        changed.update(self._new_ticks())
        if changed:
            self._write((key, self._body(key)) for key in changed)
            for key in changed:
                self._seen_etags.pop(key, None)
        self._seen_changes = dict.fromkeys(listed)

    def _new_ticks(self) -> dict[str, None]:
        """Ticks are not in the feed: one that finds nothing shall cost the job no more requests than it must."""
        found = {keys.tick(job): self._body(keys.tick(job)) for job in get_args(Job)}
        new = dict.fromkeys(key for key, body in found.items() if self._seen_ticks.get(key) != body)
        self._seen_ticks = found
        return new

    # Writing.

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
            self._settle_hours(db, writer.touched.hours)
            self._uncounted |= writer.touched.runs
            if self._filling.complete:
                self._count(db)
            if writer.touched.anything or writer.touched.hours:
                self._bump()

    # What follows from the facts, and from the time.

    def _settle(self) -> None:
        """States that time alone changes, runs that were lost, and who is at work."""
        now = self._clock.now()
        leases = self._leases() if self._health.up else {}
        with self._db.writing() as db:
            changed = self._expect_hours(db, now)
            changed |= self._find_lost_runs(db, now, {lease.holder for lease in leases.values()})
            changed |= set_running(db, leases)
            incomplete = {
                row[0]
                for row in db.execute(
                    "select hour from hours where state not in ('complete', 'expired', 'absent') "
                    "or acknowledged_until is not null"
                )
            }
            changed |= self._settle_hours(db, incomplete)
            self._count(db)
        if changed:
            self._bump()

    def _leases(self) -> dict[tuple[str, str], LeaseRecord]:
        """Unexpired ones, by hour and stage; asked for only while a run says that it is at work."""
        if not self._db.rows("select 1 from runs where state = 'running' limit 1"):
            return {}
        found, now = {}, self._clock.now()
        hours = self._db.rows(
            "select hour from hours where state not in ('complete', 'expired', 'absent') "
            "union select hour from run_hours join runs on run = id where runs.state = 'running' "
            "order by hour desc limit ?",
            _LEASED_HOURS,
        )
        try:
            for row in hours:
                for stage in ("ingested", "transformed"):
                    body = self._body(lease_key(stage, Hour.parse(row["hour"])))
                    lease = LeaseRecord.decode(body, row["hour"]) if body else None
                    if lease and lease.expires_at and lease.expires_at > now:
                        found[row["hour"], stage] = lease
        except PageviewsError as exc:
            log.warning("leases_not_read", error=str(exc))
        return found

    def _expect_hours(self, db: sqlite3.Connection, now: datetime) -> bool:
        start, last = self._start(db), self._last_expected(now)
        if start is None or start > last:
            return False
        newest = db.execute("select max(hour) from hours").fetchone()[0]
        oldest = db.execute("select min(hour) from hours").fetchone()[0]
        ranges = [(start, last + 1)]
        if newest is not None and str(start) >= oldest:
            ranges = [(max(start, Hour.parse(newest) + 1), last + 1)]
        added = [(str(hour),) for first, end in ranges if first < end for hour in hour_range(first, end)]
        before = db.total_changes
        db.executemany("insert or ignore into hours (hour, state) values (?, 'waiting')", added)
        return db.total_changes != before

    def _start(self, db: sqlite3.Connection) -> Hour | None:
        if self._settings.start is not None:
            return self._settings.start
        row = db.execute("select value from meta where name = 'start_hour'").fetchone()
        return Hour.parse(row[0]) if row and row[0] else None

    def _last_expected(self, now: datetime) -> Hour:
        newest = Hour.newest_ended(now)
        return min(newest, self._settings.end) if self._settings.end else newest

    def _find_lost_runs(self, db: sqlite3.Connection, now: datetime, holders: set[str]) -> bool:
        # The platform says that its pod has ended; a process that had a word left has written its record before that.
        ended = "select runs.id from runs join ends on ends.id = runs.pod_uid where state = 'running'"
        lost = [(row["id"],) for row in db.execute(ended).fetchall()]
        for row in db.execute("select id, started_at from runs where state = 'running'").fetchall():
            if (row["id"],) in lost:
                continue
            if row["id"] in holders or _time(row["started_at"]) > now - _YOUNG or not self._health.up:
                continue
            if self._last_sign_of_life(row["id"]) < now - LOST_AFTER:
                lost.append((row["id"],))
        db.executemany("update runs set state = 'lost' where id = ?", lost)
        self._uncounted |= bool(lost)
        return bool(lost)

    def _last_sign_of_life(self, run_id: str) -> datetime:
        """Its record's, or its newest log segment's, time of writing."""
        try:
            infos = list(self._store.list(f"{keys.run(run_id)}/"))
        except PageviewsError:
            return self._clock.now()
        return max((info.modified_at for info in infos), default=datetime.min.replace(tzinfo=UTC))

    def _settle_hours(self, db: sqlite3.Connection, hours: set[str]) -> bool:
        """State, warnings and failure of these hours, and of those a week later that are compared with them."""
        if not hours:
            return False
        now = self._clock.now()
        delays = Delays(self._settings.sla, self._settings.absent_after)
        row = db.execute("select value from meta where name = 'facts_retired_before'").fetchone()
        expired_before = row[0] if row and row[0] else ""
        changed = False
        # In their order: an hour is compared with the one a week before it.
        for text in sorted(hours | {str(Hour.parse(each) + 168) for each in hours if _is_hour(each)}):
            changed |= settle_hour(db, text, now, delays, expired_before)
        self._uncounted |= changed
        return changed

    def _count(self, db: sqlite3.Connection) -> None:
        """The aggregates, where something changed; while the index fills that is done once in a while."""
        if self._uncounted:
            count_hours(db)
            count_runs(db)
            self._uncounted = False


def _write_record(writer: Writer, listed: Listed) -> None:
    record = listed.record
    if isinstance(record, RunRows):
        writer.run(record)
    elif isinstance(record, IngestedMarker):
        writer.ingested(record)
    elif isinstance(record, TransformedMarker):
        writer.transformed(record)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_hour(text: str) -> bool:
    try:
        Hour.parse(text)
    except ValueError:
        return False
    return True
