from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import AT

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import Body
from pageviews_core.records.end import End
from pageviews_core.records.run import Job
from status_api.scheduler.base import CannotStart, CronJob, Seen
from status_api.scheduler.watching import SchedulerWatch

END = End(
    id="pod-1",
    job="ingestor",
    job_name="j",
    pod="p",
    reason="OOMKilled",
    detail="",
    exit_code=137,
    started_at=AT,
    at=AT,
)


class Told:
    """A scheduler that sees what it is told."""

    kind: Literal["watch", "kubernetes"] = "kubernetes"

    def __init__(self) -> None:
        self.seen = Seen()
        self.started: list[tuple[Job, str]] = []
        self.refusal: str | None = None

    def look(self, now: datetime) -> Seen:
        return self.seen

    def start(self, job: Job, request_id: str) -> str:
        if self.refusal:
            raise CannotStart(self.refusal)
        self.started.append((job, request_id))
        return "name"

    def command(self, job: Job, request_id: str) -> str | None:
        return f"start {job}"


class Refusing(InMemoryObjectStore):
    broken = True

    def create(self, key: str, body: Body) -> str:
        if self.broken:
            raise StoreUnavailable("down")
        return super().create(key, body)


@pytest.fixture
def told() -> Told:
    return Told()


def watch_of(told: Told, store: Any, *, nudges: bool = True) -> SchedulerWatch:
    return SchedulerWatch(told, Journal(store), FakeClock(), nudges=nudges)


def test_an_end_is_kept_once_whatever_the_number_of_replicas(told: Told) -> None:
    store = InMemoryObjectStore()
    told.seen = Seen(ends=(END,))
    for _ in range(2):
        watch = watch_of(told, store)
        watch.look()
        watch.look()
    assert [info.key for info in store.list(keys.ENDS)] == [keys.end(AT, "pod-1")]
    assert len(list(store.list(keys.CHANGES))) == 1


def test_an_end_is_kept_later_where_the_store_was_down(told: Told) -> None:
    store, told.seen = Refusing(), Seen(ends=(END,))
    watch = watch_of(told, store)
    watch.look()
    assert list(store.list(keys.ENDS)) == []
    store.broken = False
    watch.look()
    assert len(list(store.list(keys.ENDS))) == 1


def test_the_version_grows_only_with_what_is_seen(told: Told) -> None:
    watch = watch_of(told, InMemoryObjectStore())
    watch.look()
    before = watch.version
    watch.look()
    assert watch.version == before
    told.seen = replace(told.seen, cron_jobs={"ingestor": CronJob("i", exists=False)})
    watch.look()
    assert watch.version == before + 1


def test_a_refused_start_is_told_and_nothing_is_raised(told: Told) -> None:
    watch = watch_of(told, InMemoryObjectStore())
    assert watch.start("ingestor", "R") is None
    assert told.started == [("ingestor", "R")]
    told.refusal = "Forbidden: no"
    assert watch.start("ingestor", "R") == "Forbidden: no"


def test_nothing_is_started_where_that_is_off(told: Told) -> None:
    watch = watch_of(told, InMemoryObjectStore(), nudges=False)
    assert "PAGEVIEWS_NUDGE" in str(watch.start("ingestor", "R"))
    assert told.started == []


def test_the_thread_looks_and_stops(told: Told) -> None:
    with watch_of(told, InMemoryObjectStore()) as watch:
        told.seen = Seen(blind_spots=("pods cannot be seen: forbidden",))
        watch.wanted()
        for _ in range(200):
            if watch.seen.blind_spots:
                break
            watch._wake.set()
            watch._stop.wait(0.01)
    assert watch.seen.blind_spots
