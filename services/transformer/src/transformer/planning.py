"""What is owed: hours whose newest ingested generation has no transformed marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pageviews_core import keys
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.program import PlannedHour
from pageviews_core.job.session import Session
from pageviews_core.keys import FailureKey
from pageviews_core.markers import newest_generations
from pageviews_core.records.control import Settled, Start
from pageviews_core.watermark import Watermark


@dataclass(frozen=True, slots=True)
class Picture:
    """What the store and the clock say at one moment."""

    now: datetime
    start: Hour | None
    """None before the ingestor's first run."""
    floor: Hour | None
    """Hours before it are complete, or not there to be had."""
    settled: Settled | None
    settled_etag: str | None
    """The watermark as it was before the markers were read: who raises it must not pass over what came since."""
    ingested: Mapping[Hour, int]
    transformed: Mapping[Hour, int]
    failures: Mapping[Hour, FailureKey]

    def owed(self) -> list[PlannedHour]:
        """Newest first, then the oldest; with those that pause after a failure."""
        ordered = sorted(
            hour for hour, generation in self.ingested.items() if self.transformed.get(hour, 0) < generation
        )
        return [self._planned(hour) for hour in ordered[-1:] + ordered[:-1]]

    def _planned(self, hour: Hour) -> PlannedHour:
        failure = self.failures.get(hour)
        if failure is None:
            return PlannedHour(hour, True, f"generation {self.ingested[hour]} is not transformed")
        due = failure.next_try_at <= self.now
        when = "due again" if due else f"next try {failure.next_try_at:%Y-%m-%d %H:%M} UTC"
        return PlannedHour(hour, due, f"failed {failure.attempt} time{'s' if failure.attempt > 1 else ''}, {when}")


def look(session: Session, start: Hour | None) -> Picture:
    """`start`: the first hour that can be owed, where a setting says so."""
    if start is None:
        found = session.journal.read(keys.START, Start)
        start = found[0].hour if found else None
    settled, etag = Watermark(session.journal).read()
    floor = settled.before if settled else None
    if settled and start and start < settled.start:  # it was moved back, to hours that the watermark never saw
        floor = min(settled.before, start)
    return Picture(
        now=session.clock.now(),
        start=start,
        floor=floor,
        settled=settled,
        settled_etag=etag,
        ingested=newest_generations(session.store, "ingested", floor),
        transformed=newest_generations(session.store, "transformed", floor),
        failures=Failures(session.journal, "transformed").newest(),
    )
