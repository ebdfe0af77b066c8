"""Leases: which run works on an hour. They keep runs out of each other's way; the fence decides who may write.

A lease is one small object. It is created once, then only replaced under the condition that nobody else did: marked
free when released, taken over when it has expired. So its fencing number never falls.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from pageviews_core.clock import Clock
from pageviews_core.errors import LeaseLost, PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectNotFound, ObjectStore
from pageviews_core.records.base import Record, Timestamp
from pageviews_core.records.marker import Stage

TTL = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=15)
WAIT_BEYOND_TTL = timedelta(seconds=5)
"""Of one who waits for a killed run's lease to expire: what clocks may differ by."""
POLL_EVERY = timedelta(seconds=1)

log = structlog.get_logger()


class LeaseHeld(Exception):
    """Another run holds the hour. An answer, not a fault."""

    def __init__(self, holder: str, expires_at: datetime) -> None:
        super().__init__(f"held by run {holder} until {expires_at:%Y-%m-%dT%H:%M:%SZ} unless it is renewed")
        self.holder = holder
        self.expires_at = expires_at


class LeaseRecord(Record):
    stage: Stage
    hour: Hour
    holder: str
    """The run that has, or last had, the lease."""
    host: str
    pid: int
    fence: int
    """1 for the first acquisition, one more for each further one."""
    acquired_at: Timestamp
    expires_at: Timestamp | None
    """None: released."""


def lease_key(stage: Stage, hour: Hour) -> str:
    return f"leases/{stage}/{hour.path}.json"


@dataclass(frozen=True, slots=True)
class _Written:
    """The lease as this process wrote it last."""

    record: LeaseRecord
    etag: str
    valid_until: float
    """By the monotonic clock, and counted from before the write."""


class Lease:
    """An acquired lease. Leaving the `with` block releases it. Safe to use from several threads."""

    def __init__(self, store: ObjectStore, clock: Clock, ttl: timedelta, key: str, written: _Written) -> None:
        self._store = store
        self._clock = clock
        self._ttl = ttl
        self.key = key
        self._written = written
        self._lost: str | None = None
        self._taken = False
        self._released = False
        self._writing = threading.Lock()

    @property
    def fence(self) -> int:
        return self._written.record.fence

    @property
    def released(self) -> bool:
        return self._released

    def ensure(self) -> None:
        """Raises LeaseLost unless this lease still excludes others; asks only the clocks, never the store.

        Both clocks count: a paused process has not renewed, whichever of them went on meanwhile. Once lost, a lease
        stays lost.
        """
        if self._lost is None and self._has_expired():
            self._lost = f"it expired at {self._written.record.expires_at} and was not renewed in time"
        if self._lost is not None:
            raise LeaseLost(f"the lease {self.key} (fence {self.fence}) is lost: {self._lost}; nothing more is written")

    def release(self) -> None:
        """Marks the lease free, if nobody took it over. Never raises what the store does: it expires by itself."""
        with self._writing:
            if self._released:
                return
            self._released = True
            self._lost = self._lost or "it was released"
            if self._taken:
                return
            try:
                self._write(None)
            except ObjectChanged:
                log.warning("lease_was_taken_over", key=self.key, fence=self.fence)
            except PageviewsError as exc:
                log.warning("lease_not_released", key=self.key, fence=self.fence, error=str(exc))
            else:
                log.debug("lease_released", key=self.key, fence=self.fence)

    def renew(self) -> bool:
        """Extends the lease by its ttl. False where the store did not answer, so that it is worth another try.

        Succeeds after the expiry too, as long as nobody else has taken the lease and `ensure` has not missed it.
        """
        with self._writing:
            if self._lost is not None:
                return True
            try:
                self._write(self._ttl)
            except ObjectChanged:
                self._taken = True
                self._lost = "another run took it over"
                log.warning("lease_lost", key=self.key, fence=self.fence, reason=self._lost)
            except PageviewsError as exc:
                if self._has_expired():
                    self._lost = f"it expired, since it could not be renewed: {exc}"
                log.warning("lease_not_renewed", key=self.key, fence=self.fence, lost=self._lost, error=str(exc))
                return False
            return True

    def _write(self, ttl: timedelta | None) -> None:
        """Writes a new expiry, or none. Raises ObjectChanged if the lease is another's."""
        now, before = self._clock.now(), self._clock.monotonic()
        record = self._written.record.model_copy(update={"expires_at": None if ttl is None else now + ttl})
        try:
            etag = self._store.replace(self.key, record.encode(), etag=self._written.etag)
        except ObjectChanged:
            # An earlier write whose answer was lost on the way changed it too.
            etag = self._store.replace(self.key, record.encode(), etag=self._etag_of_own_write())
        if ttl is not None:
            self._written = _Written(record, etag, before + ttl.total_seconds())

    def _etag_of_own_write(self) -> str:
        try:
            data, etag = self._store.get(self.key)
        except ObjectNotFound:
            raise ObjectChanged(self.key) from None
        present = LeaseRecord.decode(data, self.key)
        if not _same_acquisition(present, self._written.record):
            raise ObjectChanged(self.key)
        return etag

    def _has_expired(self) -> bool:
        written = self._written
        expires_at = written.record.expires_at
        return self._clock.monotonic() >= written.valid_until or expires_at is None or self._clock.now() >= expires_at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class Leases:
    """The leases of one run, all renewed by one thread that starts with the first of them. One for each process.

    `close`, or leaving the `with` block, ends the thread and releases what is still held.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        *,
        holder: str,
        ttl: timedelta = TTL,
        renew_every: timedelta = RENEW_EVERY,
    ) -> None:
        """`holder` is the run's id."""
        self._store = store
        self._clock = clock
        self._holder = holder
        self._host = platform.node()
        self._ttl = ttl
        self._renew_every = renew_every
        self._leases: dict[str, Lease] = {}
        self._acquiring = threading.Lock()
        self._registry = threading.Lock()  # never held during a request, which renewals would wait for
        self._closed = threading.Event()
        self._renewer: threading.Thread | None = None

    def acquire(self, stage: Stage, hour: Hour, wait: bool = False) -> Lease:
        """Takes the hour's lease where it is new, free or expired. Raises LeaseHeld, UnknownSchemaVersion.

        With `wait`: tries until the present lease is free or has expired, for the ttl and five seconds at most; the
        replacement of a killed process gets in that way, while a live holder goes on renewing.
        """
        patience = self._ttl + WAIT_BEYOND_TTL if wait else timedelta(0)
        give_up_at = self._clock.monotonic() + patience.total_seconds()
        while True:
            try:
                with self._acquiring:
                    return self._acquire(stage, hour)
            except LeaseHeld:
                left = give_up_at - self._clock.monotonic()
                if left <= 0:
                    raise
                self._clock.sleep(min(POLL_EVERY.total_seconds(), left))

    def renew(self) -> bool:
        """Renews every lease that is held; the thread calls it. False where one is to be tried again soon."""
        answered = [lease.renew() for lease in self._held()]
        return all(answered)

    def close(self) -> None:
        self._closed.set()
        if self._renewer is not None:
            self._renewer.join()
        for lease in self._held():
            lease.release()

    def _acquire(self, stage: Stage, hour: Hour) -> Lease:
        if self._closed.is_set():
            raise RuntimeError("these leases are closed")
        key = lease_key(stage, hour)
        fence, etag = 1, None
        while True:
            try:
                lease = self._take(key, stage, hour, fence, etag)
                break
            except (ObjectExists, ObjectChanged):
                fence, etag = self._next_to(key)
        with self._registry:
            self._leases[key] = lease
        if self._renewer is None or not self._renewer.is_alive():
            self._renewer = threading.Thread(target=self._keep_renewing, name="lease-renewer", daemon=True)
            self._renewer.start()
        log.debug("lease_acquired", key=key, fence=fence)
        return lease

    def _take(self, key: str, stage: Stage, hour: Hour, fence: int, etag: str | None) -> Lease:
        now, before = self._clock.now(), self._clock.monotonic()
        record = LeaseRecord(
            stage=stage,
            hour=hour,
            holder=self._holder,
            host=self._host,
            pid=os.getpid(),
            fence=fence,
            acquired_at=now,
            expires_at=now + self._ttl,
        )
        body = record.encode()
        new = self._store.create(key, body) if etag is None else self._store.replace(key, body, etag=etag)
        return Lease(
            self._store, self._clock, self._ttl, key, _Written(record, new, before + self._ttl.total_seconds())
        )

    def _next_to(self, key: str) -> tuple[int, str | None]:
        """The fence and the ETag to take the lease with. Raises LeaseHeld."""
        try:
            data, etag = self._store.get(key)
        except ObjectNotFound:
            return 1, None
        present = LeaseRecord.decode(data, key)
        if present.expires_at is not None and present.expires_at > self._clock.now() and not self._is_orphan(present):
            raise LeaseHeld(present.holder, present.expires_at)
        return present.fence + 1, etag

    def _is_orphan(self, present: LeaseRecord) -> bool:
        """Whether this very process wrote it without learning so: the store's answer was lost on the way."""
        mine = (present.holder, present.host, present.pid) == (self._holder, self._host, os.getpid())
        known = self._leases.get(lease_key(present.stage, present.hour))
        return mine and (known is None or known.fence != present.fence)

    def _held(self) -> list[Lease]:
        with self._registry:
            self._leases = {key: lease for key, lease in self._leases.items() if not lease.released}
            return list(self._leases.values())

    def _keep_renewing(self) -> None:
        # On the system's own clock whatever `clock` is: a thread that waits on a test's clock would never end.
        pause = self._renew_every
        while not self._closed.wait(pause.total_seconds()):
            pause = self._renew_every if self.renew() else self._renew_every / 5

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _same_acquisition(one: LeaseRecord, other: LeaseRecord) -> bool:
    return (one.holder, one.host, one.pid, one.fence) == (other.holder, other.host, other.pid, other.fence)
