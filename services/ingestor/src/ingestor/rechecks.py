"""When to ask the source whether it restated an hour: often at first, ever more rarely, for as long as the window."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.control import Recheck, Rechecks
from pageviews_core.records.marker import SourceFile

LONGEST_PAUSE = timedelta(hours=24)


class RecheckPlan:
    """The recent loaded hours, each with its next question. Losing it costs a question, never an hour."""

    def __init__(self, journal: Journal, *, window: timedelta, after: timedelta) -> None:
        self._journal = journal
        self._window = window
        self._after = after
        found = journal.read(keys.RECHECKS, Rechecks) if window else None
        self._stored = found[0] if found else Rechecks()
        self._etag = found[1] if found else None
        self._hours = {Hour.parse(text): recheck for text, recheck in self._stored.hours.items()}

    def follow(self, now: datetime, start: Hour, until: Hour, missing: set[Hour]) -> None:
        """Takes up the hours of the window that are loaded, and drops those that have left it."""
        oldest = max(start, Hour.containing(now - self._window) + 1)
        recent = [hour for hour in hour_range(oldest, until) if hour not in missing] if self._window else []
        self._hours = {hour: self._hours.get(hour) or Recheck(checks=0, next_at=now + self._after) for hour in recent}

    def due(self, now: datetime) -> list[tuple[Hour, Recheck]]:
        """Oldest first."""
        return sorted(
            ((hour, recheck) for hour, recheck in self._hours.items() if recheck.next_at <= now), key=lambda due: due[0]
        )

    def loaded(self, hour: Hour, source: SourceFile, now: datetime) -> None:
        """The hour was taken in just now: what the source had needs no look at the marker later."""
        if hour in self._hours:
            self._hours[hour] = Recheck(
                checks=0, next_at=now + self._after, etag=source.etag, last_modified=source.last_modified
            )

    def asked(self, hour: Hour, source: SourceFile | None, now: datetime) -> None:
        """The question was put, whatever the answer; `source` is what is loaded, where it was looked up."""
        before = self._hours[hour]
        pause = min(self._after * (1 << min(before.checks + 1, 16)), LONGEST_PAUSE)
        self._hours[hour] = Recheck(
            checks=before.checks + 1,
            next_at=now + pause,
            etag=source.etag if source else before.etag,
            last_modified=source.last_modified if source else before.last_modified,
        )

    def save(self) -> None:
        """Does nothing where nothing changed, or where another process saved in the meantime. Nobody else reads it."""
        plan = Rechecks(hours={str(hour): recheck for hour, recheck in sorted(self._hours.items())})
        if plan == self._stored:
            return
        with suppress(ObjectChanged, ObjectExists):
            if self._etag is None:
                self._journal.store.create(keys.RECHECKS, plan.encode())
            else:
                self._journal.store.replace(keys.RECHECKS, plan.encode(), etag=self._etag)
