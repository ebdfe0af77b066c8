"""A source and an intake that do what a test says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Self

from tests import samples

from ingestor.ingest import Taken
from ingestor.wikimedia import DumpsClient
from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.lease import Lease
from pageviews_core.records.marker import IngestedMarker, SourceFile
from pageviews_core.records.run import HourOutcome

BASE_URL = "https://dumps.example"


class FakeDumps(DumpsClient):
    """Knows the hours that are published, which ETag they have, and what to fail with."""

    def __init__(self, *published: Hour) -> None:
        self.base_url = BASE_URL
        self.published = set(published)
        self.etags: dict[Hour, str] = {}
        self.errors: dict[Hour, Exception] = {}
        self.asked: list[Hour] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def is_published(self, hour: Hour) -> bool:
        self._ask(hour)
        return hour in self.published

    def unchanged(self, hour: Hour, *, etag: str | None, last_modified: str | None) -> bool:
        self._ask(hour)
        return self.etags.get(hour, etag) == etag

    def newest_published(self, now: datetime, *, look_back: int = 24) -> Hour | None:
        newest = Hour.newest_ended(now)
        return max((hour for hour in self.published if newest - hour < look_back), default=None)

    def _ask(self, hour: Hour) -> None:
        self.asked.append(hour)
        if hour in self.errors:
            raise self.errors[hour]


class FakeIngest:
    """Writes the marker of the next generation, or fails with what was given for the hour."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.errors: dict[Hour, Exception] = {}
        self.withdrawn: set[Hour] = set()
        self.taken: list[tuple[Hour, int]] = []
        """Hours with the number of the attempt."""
        self.evidence: Path | None = None

    def hour(
        self, hour: Hour, lease: Lease, *, known: IngestedMarker | None, attempt: int, only_if_changed: bool = False
    ) -> Taken:
        lease.ensure()
        self.taken.append((hour, attempt))
        if hour in self.errors:
            raise self.errors[hour]
        if hour in self.withdrawn:
            return Taken(HourOutcome(hour=hour, outcome="not_published"), None)
        generation = known.generation + 1 if known else 1
        marker = samples.ingested_marker(hour, generation)
        self._session.journal.create(keys.marker("ingested", hour, generation), marker)
        source = SourceFile(url="u", etag=f'"{generation}"', last_modified=None, bytes=1, sha256=str(generation) * 64)
        return Taken(HourOutcome(hour=hour, outcome="done", generation=generation, rows=10, views=30), source)
