"""`watch`: stay, and tick on the cron expression and when somebody asks. Each tick is a child process, so that its
memory and the warehouse's file come back."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from cronsim import CronSim, CronSimError
from ulid import ULID

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import ConfigurationError, ExitCode, StoreUnavailable
from pageviews_core.job.program import Program
from pageviews_core.job.stopping import Stopping
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectInfo
from pageviews_core.records.control import Change

POLL_SECONDS = 3.0
CLOCK_SKEW = timedelta(minutes=10)
_KILL_AFTER_SECONDS = 25

log = structlog.get_logger()


class ChangesSeen:
    """Says which changes are new, reading back ten minutes because clocks differ."""

    def __init__(self, journal: Journal, now: datetime) -> None:
        self._journal = journal
        self._seen = {info.key for info in self._listing(now)}

    def new_keys(self, now: datetime) -> list[str]:
        """Keys of objects that changed since the last call."""
        listed = {info.key for info in self._listing(now)}
        found = [self._journal.read(key, Change) for key in sorted(listed - self._seen)]
        self._seen = listed  # not before they are read: a store that fails meanwhile must not hide them
        return [change.key for change, _ in filter(None, found)]

    def _listing(self, now: datetime) -> Iterator[ObjectInfo]:
        since = ULID.from_datetime(now - CLOCK_SKEW)
        return self._journal.store.list(keys.CHANGES, start_after=keys.change(str(since)))


def next_tick(cron: str, now: datetime) -> datetime:
    """When the expression next fires after `now`, UTC. Raises ConfigurationError for a bad one."""
    try:
        return next(CronSim(cron, now))
    except CronSimError as exc:
        raise ConfigurationError(f"PAGEVIEWS_CRON={cron!r}: {exc}; five fields, as in `15-55/10 * * * *`") from exc


def watch(program: Program, cron: str, journal: Journal, clock: Clock, stopping: Stopping) -> ExitCode:
    """Until a stop is asked for, or a tick says that the configuration is wrong."""
    due = clock.now()
    next_tick(cron, due)  # a bad expression is named before the first tick
    changes = ChangesSeen(journal, due)
    while not stopping.asked():
        now = clock.now()
        if now >= due or _woken(program, changes, now):
            code = _tick(program, stopping)
            if code != ExitCode.DONE:
                log.warning("tick_failed", exit_code=code)
            if code == ExitCode.CONFIGURATION:
                return ExitCode.CONFIGURATION
            if code == ExitCode.STOPPED and stopping.asked():
                return ExitCode.STOPPED
            due = next_tick(cron, clock.now())
            log.info("watch_waiting", next_tick=due.isoformat())
        stopping.wait(POLL_SECONDS)
    return ExitCode.DONE


def _woken(program: Program, changes: ChangesSeen, now: datetime) -> bool:
    try:
        return any(key.startswith(program.wakes_on) for key in changes.new_keys(now))
    except StoreUnavailable as exc:
        log.warning("changes_not_read", error=str(exc))
        return False


def _tick(program: Program, stopping: Stopping) -> int:
    child = subprocess.Popen([sys.executable, "-m", program.module, "run"])
    try:
        while True:
            try:
                return child.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if stopping.asked():
                    child.send_signal(signal.SIGTERM)
                    return child.wait(timeout=_KILL_AFTER_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("tick_killed", detail="the tick did not stop in time; its leases expire by themselves")
        child.kill()
        child.wait()
        return ExitCode.STOPPED
