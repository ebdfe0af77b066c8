"""A view over a real index of a store in memory, for tests of what is read from both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import no_scheduler
from tests.unit.status_api.in_process import Client, started

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.keys import FailureKey
from pageviews_core.records.control import Start, Tick
from pageviews_core.records.end import End
from pageviews_core.records.failure import Failure
from pageviews_core.records.run import ErrorReport, HourOutcome, Job, RunRecord, StepTiming
from status_api.access.actor import Actor
from status_api.index.running import RunningIndex
from status_api.main import create_app
from status_api.readiness import Readiness
from status_api.settings import StatusSettings
from status_api.view import View

NOW = samples.AT
NEWEST = Hour.newest_ended(NOW)
OPERATOR = Actor("olga", "operator", "10.0.0.1", "token")
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def run_id(number: int) -> str:
    """Sorts as the number does; its time is the samples' day."""
    return "01JD4Q2Z5V" + f"{number:016d}"


class Filled:
    """`complete`, `fail` and `run` write what the jobs would; `view` shows it after a refresh."""

    def __init__(self, *, hours: int = 8, **settings: Any) -> None:
        self.clock = FakeClock(NOW)
        self.store = InMemoryObjectStore(now=self.clock.now)
        self.journal = Journal(self.store)
        self.index = RunningIndex(self.store, StatusSettings(**settings), self.clock)
        self._view = View(self.index, self.store, self.clock, StatusSettings(**settings), no_scheduler())
        self.first = NEWEST + (1 - hours)
        self.journal.put(keys.START, Start(hour=self.first))
        self.tick("ingestor")
        self.tick("transformer")

    @property
    def view(self) -> View:
        self.index.refresh()
        return self._view

    def close(self) -> None:
        self.index.close()

    def tick(self, job: Job) -> None:
        at = NOW - timedelta(minutes=1)
        tick = Tick(job=job, at=at, outcome="idle", owed=0, run_id=None, seconds=0.1, store_requests=8, version="0.1.0")
        self.store.put(keys.tick(job), tick.encode())  # as the jobs do: without a word in the feed

    def complete(self, *hours: Hour, views: int = 30) -> None:
        for hour in hours:
            self.journal.create(keys.marker("ingested", hour, 1), samples.ingested_marker(hour, views=views))
            self.journal.create(keys.marker("transformed", hour, 1), samples.transformed_marker(hour, views=views))

    def ingest(self, *hours: Hour) -> None:
        for hour in hours:
            self.journal.create(keys.marker("ingested", hour, 1), samples.ingested_marker(hour))

    def fail(self, hour: Hour, *, stage: Any = "ingested", kind: Any = "failed", by: str = run_id(1)) -> None:
        key = FailureKey(hour, 1, NOW + timedelta(minutes=10), kind)
        record = Failure(
            stage=stage, hour=hour, kind=kind, attempt=1, failing_since=NOW - timedelta(minutes=5), at=NOW,
            next_try_at=key.next_try_at, error_type="SourceCorrupt", error="<script>not gzip</script>", evidence=None,
            run_id=by,
        )  # fmt: skip
        self.journal.create(keys.failure(stage, key), record)

    def end(self, what: End) -> None:
        self.journal.create(keys.end(what.at, what.id), what)

    def run(self, number: int, job: Job = "ingestor", **changes: Any) -> str:
        started = NOW - timedelta(hours=1) + timedelta(seconds=number)
        values: dict[str, Any] = {
            "id": run_id(number), "job": job, "trigger": "schedule", "request": None,
            "hours": (HourOutcome(hour=NEWEST, outcome="done", generation=1, rows=10, views=30),),
            "state": "succeeded", "error": None,
            "steps": (StepTiming(name="load", hours=(NEWEST,), started_at=started, seconds=2, succeeded=True),),
            "bytes_downloaded": 5, "rows": 10, "peak_memory_bytes": 100, "host": "h", "pod": None, "pod_uid": None,
            "version": "0.1.0", "started_at": started, "finished_at": started + timedelta(seconds=20),
        }  # fmt: skip
        record = RunRecord(**{**values, **changes})
        self.journal.put(keys.run_record(record.id), record)
        return record.id


def end(**changes: Any) -> End:
    """A pod that was ended without a word."""
    given: dict[str, Any] = {
        "id": "uid-1", "job": "ingestor", "job_name": "pv-ingestor-1", "pod": "pv-ingestor-1-x", "reason": "OOMKilled",
        "detail": "", "exit_code": 137, "started_at": None, "at": NOW, **changes,
    }  # fmt: skip
    return End(**given)


def error() -> ErrorReport:
    return ErrorReport(type="SourceCorrupt", message="<b>bad</b>", traceback="Traceback <i>")


@contextmanager
def serving(filled: Filled, **settings: Any) -> Iterator[Client]:
    """The whole application over the filled store, whose index is refreshed by whoever changes it."""
    given = StatusSettings(session_key="k" * 40, **settings)
    app = create_app(given, filled.clock)
    view = replace(filled.view, settings=given)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"readiness": Readiness(filled.store), "view": view}

    app.router.lifespan_context = lifespan
    with started(app) as client:
        yield client
