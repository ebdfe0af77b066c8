"""What follows from the facts in the index, and from the time: who is at work, what is expected, what was lost."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import structlog

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour, hour_range
from pageviews_core.lease import LeaseRecord, lease_key
from pageviews_core.object_store.base import ObjectStore
from status_api.index.database import Database
from status_api.index.reading import body_of
from status_api.index.settling import count_hours, count_runs, set_running, settle_hour
from status_api.index.states import Delays
from status_api.settings import StatusSettings

LOST_AFTER = timedelta(minutes=5)
"""Without a lease, and without a sign of life."""
_YOUNG = timedelta(minutes=2)
_LEASED_HOURS = 72
"""The newest that are not complete: others are not worked on without a run's saying so for long."""

Leases = dict[tuple[str, str], LeaseRecord]
"""By hour and stage."""

log = structlog.get_logger()


class Deriving:
    """Its methods that take a connection write in the caller's transaction, and say whether they changed anything."""

    def __init__(self, store: ObjectStore, settings: StatusSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._uncounted = True

    def leases(self, index: Database) -> Leases:
        """Unexpired ones; asked for only while a run says that it is at work."""
        if not index.rows("select 1 from runs where state = 'running' limit 1"):
            return {}
        found, now = {}, self._clock.now()
        hours = index.rows(
            "select hour from hours where state not in ('complete', 'expired', 'absent') "
            "union select hour from run_hours join runs on run = id where runs.state = 'running' "
            "order by hour desc limit ?",
            _LEASED_HOURS,
        )
        try:
            for row in hours:
                for stage in ("ingested", "transformed"):
                    body = body_of(self._store, lease_key(stage, Hour.parse(row["hour"])))
                    lease = LeaseRecord.decode(body, row["hour"]) if body else None
                    if lease and lease.expires_at and lease.expires_at > now:
                        found[row["hour"], stage] = lease
        except PageviewsError as exc:
            log.warning("leases_not_read", error=str(exc))
        return found

    def settle_all(self, db: sqlite3.Connection, leases: Leases, *, store_up: bool, since: Hour | None = None) -> bool:
        """States that time alone changes, runs that were lost, and who is at work. `since`: hours before it are not
        read yet, so that nothing follows for them."""
        now = self._clock.now()
        changed = self._expect_hours(db, now)
        changed |= self._find_lost_runs(db, now, {lease.holder for lease in leases.values()}, store_up=store_up)
        changed |= set_running(db, leases)
        incomplete = {
            row[0]
            for row in db.execute(
                "select hour from hours where hour >= ? and "
                "(state not in ('complete', 'expired', 'absent') or acknowledged_until is not null)",
                (str(since) if since else "",),
            )
        }
        return self.settle_hours(db, incomplete) or changed

    def settle_hours(self, db: sqlite3.Connection, hours: set[str]) -> bool:
        """State, warnings and failure of these hours, and of those a week later that are compared with them."""
        if not hours:
            return False
        now = self._clock.now()
        delays = Delays(self._settings.sla, self._settings.absent_after)
        row = db.execute("select value from meta where name = 'facts_retired_before'").fetchone()
        expired_before = row[0] if row and row[0] else ""
        changed = False
        # In their order: an hour is compared with the one a week before it.
        for text in sorted(hours.union(*map(_a_week_later, hours))):
            changed |= settle_hour(db, text, now, delays, expired_before)
        self._uncounted |= changed
        return changed

    def runs_changed(self) -> None:
        """They are to be counted anew."""
        self._uncounted = True

    def count(self, db: sqlite3.Connection) -> None:
        """The aggregates, where something changed."""
        if self._uncounted:
            count_hours(db)
            count_runs(db)
            self._uncounted = False

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

    def _find_lost_runs(self, db: sqlite3.Connection, now: datetime, holders: set[str], *, store_up: bool) -> bool:
        # The platform says that its pod has ended; a process that had a word left has written its record before that.
        ended = "select runs.id from runs join ends on ends.id = runs.pod_uid where state = 'running'"
        lost = [(row["id"],) for row in db.execute(ended).fetchall()]
        for row in db.execute("select id, started_at from runs where state = 'running'").fetchall():
            if (row["id"],) in lost:
                continue
            if row["id"] in holders or datetime.fromisoformat(row["started_at"]) > now - _YOUNG or not store_up:
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


def _a_week_later(text: str) -> tuple[str, ...]:
    """None for what is no hour."""
    try:
        return (str(Hour.parse(text) + 168),)
    except ValueError:
        return ()
