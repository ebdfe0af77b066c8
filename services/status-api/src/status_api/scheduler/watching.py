"""Looking at the scheduler beside the server, and keeping what it is about to forget."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.end import End
from pageviews_core.records.run import Job
from status_api.scheduler.base import CannotStart, Scheduler, Seen

LOOKED_AT_SECONDS, IDLE_SECONDS = 5.0, 20.0
WANTED_FOR_SECONDS = 60.0

log = structlog.get_logger()


class SchedulerWatch:
    """What was seen last; a thread of its own looks again, more often while somebody reads it."""

    def __init__(self, scheduler: Scheduler, journal: Journal, clock: Clock, *, nudges: bool) -> None:
        self.scheduler = scheduler
        self.nudges = nudges
        self._journal = journal
        self._clock = clock
        self._seen = Seen()
        self._version = 0
        self._kept: set[str] = set()
        self._wanted_until = 0.0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def seen(self) -> Seen:
        return self._seen

    @property
    def version(self) -> int:
        """Grows when what is seen changes."""
        return self._version

    def wanted(self) -> None:
        now = self._clock.monotonic()
        if now >= self._wanted_until:
            self._wake.set()
        self._wanted_until = now + WANTED_FOR_SECONDS

    def look(self) -> None:
        """One look; ends are written to the store, each once, whatever the number of replicas."""
        seen = self.scheduler.look(self._clock.now())
        if seen != self._seen:
            for line in set(seen.blind_spots) - set(self._seen.blind_spots):
                log.warning("scheduler_not_seen", detail=line)
            self._seen = seen
            self._version += 1
        for end in seen.ends:
            if end.id not in self._kept:
                self._keep(end)
        self._kept &= {end.id for end in seen.ends}

    def start(self, job: Job, request_id: str) -> str | None:
        """Why the job was not started for the request; None where it was. Nothing is lost: its next tick takes it."""
        if not self.nudges:
            return "starting jobs at once is off (PAGEVIEWS_NUDGE)"
        try:
            name = self.scheduler.start(job, request_id)
        except CannotStart as exc:
            log.warning("nudge_failed", job=job, request=request_id, error=str(exc))
            return str(exc)
        log.info("nudged", job=job, request=request_id, name=name)
        self._wake.set()
        return None

    def __enter__(self) -> Self:
        if self.scheduler.kind != "watch":  # which has nothing to look at
            self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                log.exception("scheduler_look_failed")
            looked_at = self._clock.monotonic() < self._wanted_until
            self._wake.wait(LOOKED_AT_SECONDS if looked_at else IDLE_SECONDS)
            self._wake.clear()

    def _keep(self, end: End) -> None:
        try:
            with suppress(ObjectExists):
                self._journal.create(keys.end(end.at, end.id), end)
        except PageviewsError as exc:
            log.warning("end_not_kept", pod=end.pod, reason=end.reason, error=str(exc))
        else:
            self._kept.add(end.id)
