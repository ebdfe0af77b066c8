"""A pipeline in memory for housekeeping to look after: a clock that stands, and hours, runs and requests on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.session import Session, open_session
from pageviews_core.job.stopping import Stopping
from pageviews_core.journal import Journal
from pageviews_core.object_store.counting import CountingObjectStore
from pageviews_core.records.base import Record
from pageviews_core.records.control import Settled
from pageviews_core.records.marker import (
    ControlTotals,
    HourObjects,
    IngestedMarker,
    LineCounts,
    SourceFile,
    TransformedMarker,
)
from pageviews_core.records.run import RunRecord

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
NEWEST = Hour.newest_ended(NOW)
DAY = timedelta(days=1)


def ulid_at(at: datetime) -> str:
    return str(ULID.from_datetime(at))


@dataclass
class KeepAll:
    """Retentions that nothing outlives, unless a test says so."""

    raw_table: str = "RAW"
    retain_raw_rows: timedelta = timedelta(days=10_000)
    retain_staging: timedelta = timedelta(days=10_000)
    retain_facts: timedelta | None = None
    retain_raw_objects: timedelta = timedelta(days=10_000)
    retain_landing: timedelta = timedelta(days=10_000)
    retain_quarantine: timedelta = timedelta(days=10_000)
    retain_runs: timedelta = timedelta(days=10_000)
    scratch: Path = Path("does-not-exist")

    def scratch_folder(self) -> Path:
        return self.scratch


@dataclass
class House:
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    memory: InMemoryObjectStore = field(init=False)
    journal: Journal = field(init=False)
    stopping: Stopping = field(default_factory=Stopping)

    def __post_init__(self) -> None:
        self.memory = InMemoryObjectStore(now=self.clock.now)
        self.journal = Journal(self.memory)

    @contextmanager
    def session(self, budget: timedelta = timedelta(minutes=25)) -> Iterator[Session]:
        store = CountingObjectStore(self.memory)
        with open_session(store, self.clock, self.stopping, "transformer", "schedule", budget) as session:
            yield session
            session.run.finish("succeeded")

    def write(self, key: str, record: Record) -> None:
        self.memory.put(key, record.encode())

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.memory.all_keys() if key.startswith(prefix)]

    def settle(self, before: Hour) -> None:
        """Sets the watermark."""
        self.write(keys.SETTLED, Settled(start=Hour.parse("2015-05-01T01"), before=before))

    def ingest(self, hour: Hour, generation: int = 1, *, attempted_at: datetime | None = None) -> IngestedMarker:
        """Objects and marker, left by an attempt a minute after the hour's end unless told otherwise."""
        attempted_at = attempted_at or hour.ended_at + timedelta(minutes=1)
        marker = ingested_marker(hour, generation, run_id=ulid_at(attempted_at))
        self._put_at(attempted_at, marker.objects.raw)
        self._put_at(attempted_at, marker.objects.landing)
        self.write(keys.marker("ingested", hour, generation), marker)
        return marker

    def transform(self, hour: Hour, generation: int = 1) -> None:
        self.write(keys.marker("transformed", hour, generation), transformed_marker(hour, generation))

    def complete(self, start: Hour, end: Hour) -> None:
        """All hours from `start` up to, not including, `end`."""
        for hour in hour_range(start, end):
            self.ingest(hour)
            self.transform(hour)

    def attempt(self, hour: Hour, at: datetime) -> str:
        """The key of what an attempt landed that came to no marker."""
        return self._put_at(at, keys.landing(hour, ulid_at(at)))

    def run(self, at: datetime) -> str:
        """The id of a run with a log and artifacts."""
        record = run_record(ulid_at(at), at)
        self.write(keys.run_record(record.id), record)
        self.memory.put(f"{keys.run(record.id)}/log/00000.jsonl", b"{}\n")
        self.memory.put(f"{keys.run(record.id)}/artifacts/001/manifest.json.gz", b"manifest")
        return record.id

    def _put_at(self, at: datetime, key: str) -> str:
        now = self.clock.now()
        self.clock.step((at - now).total_seconds())
        self.memory.put(key, b"content")
        self.clock.step((now - at).total_seconds())
        return key


def ingested_marker(hour: Hour, generation: int, *, run_id: str) -> IngestedMarker:
    sha256 = f"{generation:016x}" * 4
    return IngestedMarker(
        hour=hour,
        generation=generation,
        source=SourceFile(url="http://source/file.gz", etag=None, last_modified=None, bytes=7, sha256=sha256),
        rows=LineCounts(lines=2, loaded=2, rejected=0),
        views=3,
        control=ControlTotals(state="matched"),
        objects=HourObjects(raw=keys.raw(hour, "file.gz", sha256), landing=keys.landing(hour, run_id), quarantine=None),
        run_id=run_id,
        attempt=1,
        started_at=hour.ended_at,
        finished_at=hour.ended_at,
        traceparent="",
        version="1",
    )


def transformed_marker(hour: Hour, generation: int) -> TransformedMarker:
    return TransformedMarker(
        hour=hour,
        generation=generation,
        sha256=f"{generation:016x}" * 4,
        rows=2,
        views=3,
        invocation_id="",
        nodes=(),
        warnings=(),
        run_id=ulid_at(hour.ended_at),
        started_at=hour.ended_at,
        finished_at=hour.ended_at,
        traceparent="",
        version="1",
    )


def run_record(run_id: str, at: datetime) -> RunRecord:
    return RunRecord(
        id=run_id,
        job="ingestor",
        trigger="schedule",
        request=None,
        hours=(),
        state="succeeded",
        error=None,
        steps=(),
        bytes_downloaded=0,
        rows=0,
        peak_memory_bytes=1,
        host="here",
        pod=None,
        pod_uid=None,
        version="1",
        started_at=at,
        finished_at=at,
    )
