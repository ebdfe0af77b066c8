"""What is owed: expected hours less those that have a marker. Computed from the data at every tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.program import PlannedHour
from pageviews_core.keys import FailureKey


@dataclass(frozen=True, slots=True)
class Picture:
    """What the store and the clock say at one moment."""

    now: datetime
    start: Hour
    end: Hour | None
    """The last hour that can be owed."""
    settled: Hour
    """Hours before it have a marker or are absent."""
    ingested: Mapping[Hour, int]
    """From `settled` on."""
    failures: Mapping[Hour, FailureKey]

    def expected_until(self) -> Hour:
        """The first hour that is not expected yet."""
        until = Hour.newest_ended(self.now) + 1
        return self.end + 1 if self.end and self.end < until else until

    def owed(self) -> list[PlannedHour]:
        """Newest first, then the oldest gaps; with those that pause after a failure."""
        missing = {hour for hour in hour_range(self.settled, self.expected_until()) if hour not in self.ingested}
        missing |= {hour for hour in self.failures if hour not in self.ingested and self._expected(hour)}
        ordered = sorted(missing)
        return [self._planned(hour) for hour in ordered[-1:] + ordered[:-1]]

    def _expected(self, hour: Hour) -> bool:
        return self.start <= hour < self.expected_until()

    def _planned(self, hour: Hour) -> PlannedHour:
        failure = self.failures.get(hour)
        if failure is None:
            return PlannedHour(hour, True, "not loaded yet")
        state = "failed" if failure.kind == "failed" else "not published"
        times = f"{failure.attempt} time{'s' if failure.attempt > 1 else ''}"
        due = failure.next_try_at <= self.now
        when = "due again" if due else f"next try {failure.next_try_at:%Y-%m-%d %H:%M} UTC"
        return PlannedHour(hour, due, f"{state} {times}, {when}")
