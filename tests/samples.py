"""Valid records and sessions for tests, each changed by what a test is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pageviews_core.clock import Clock
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session, open_session
from pageviews_core.job.stopping import Stopping
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectStore
from pageviews_core.object_store.counting import CountingObjectStore
from pageviews_core.records.marker import (
    ControlTotals,
    HourObjects,
    IngestedMarker,
    LineCounts,
    SourceFile,
    TransformedMarker,
)
from pageviews_core.records.run import Job
from status_api.scheduler.base import WatchScheduler
from status_api.scheduler.watching import SchedulerWatch
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

SHA256 = "e9aaf9ff" * 8
AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def hour(text: str = "2026-11-20T09") -> Hour:
    return Hour.parse(text)


def ingested_marker(of: Hour, generation: int = 1, *, rows: int = 10, views: int = 30) -> IngestedMarker:
    return IngestedMarker(
        hour=of,
        generation=generation,
        source=SourceFile(
            url="https://dumps.example/file.gz", etag='"1"', last_modified=None, bytes=100, sha256=SHA256
        ),
        rows=LineCounts(lines=rows, loaded=rows, rejected=0),
        views=views,
        control=ControlTotals(state="matched", expected_views=views),
        objects=HourObjects(raw=f"raw/{of.path}/file.gz", landing=f"landing/{of.path}/run.parquet", quarantine=None),
        run_id="01JD4Q2Z5V0000000000000001",
        attempt=1,
        started_at=AT,
        finished_at=AT,
        traceparent=TRACE,
        version="0.1.0",
    )


def transformed_marker(of: Hour, generation: int = 1, *, rows: int = 10, views: int = 30) -> TransformedMarker:
    return TransformedMarker(
        hour=of,
        generation=generation,
        sha256=SHA256,
        rows=rows,
        views=views,
        invocation_id="0b6e8a37-5f0d-4a6c-8f6f-1d7f1f6f3c55",
        nodes=(),
        warnings=(),
        run_id="01JD4Q2Z5V0000000000000002",
        started_at=AT,
        finished_at=AT,
        traceparent=TRACE,
        version="0.1.0",
    )


@contextmanager
def session_on(
    store: ObjectStore,
    clock: Clock,
    *,
    job: Job = "ingestor",
    stopping: Stopping | None = None,
    budget: timedelta = timedelta(minutes=25),
) -> Iterator[Session]:
    with open_session(CountingObjectStore(store), clock, stopping or Stopping(), job, "schedule", budget) as session:
        yield session


def no_scheduler() -> SchedulerWatch:
    """Of a service that runs beside the jobs' own `watch`."""
    return SchedulerWatch(WatchScheduler(), Journal(InMemoryObjectStore()), FakeClock(), nudges=False)
