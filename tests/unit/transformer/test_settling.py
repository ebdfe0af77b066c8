from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core import keys
from pageviews_core.errors import SourceCorrupt, SourceUnavailable
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.session import Session
from pageviews_core.records.control import Start
from pageviews_core.records.failure import FailureKind
from pageviews_core.records.marker import Stage
from pageviews_core.records.request import ClosedRequest, Progress, ProgressOutcome, Request
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from pageviews_core.watermark import Watermark
from transformer.planning import Picture, look
from transformer.settling import close_settled_requests, raise_watermark

NEWEST = samples.hour("2026-11-20T09")
START = NEWEST + -9


class Bench:
    def __init__(self, store: InMemoryObjectStore, clock: FakeClock, session: Session) -> None:
        self.store = store
        self.clock = clock
        self.session = session
        self.watermark = Watermark(session.journal)
        self.requests = Requests(session.journal)
        store.put(keys.START, Start(hour=START).encode())

    def mark(self, hour: Hour, *, ingested: int = 1, transformed: int = 0) -> None:
        for stage, newest in (("ingested", ingested), ("transformed", transformed)):
            for generation in range(1, newest + 1):
                self.store.put(f"markers/{stage}/{hour.path}/{generation}.json", b"")

    def complete(self, first: int, last: int) -> None:
        for hour in hour_range(START + first, START + last + 1):
            self.mark(hour, transformed=1)

    def picture(self) -> Picture:
        return look(self.session, None)

    def settle(self, view: Picture | None = None, done: dict[Hour, int] | None = None) -> int | None:
        """Raises the watermark, and says how many hours after the start it then is."""
        view = view or self.picture()
        raise_watermark(self.session, view, done or {}, absent_after=timedelta(days=14))
        settled, _ = self.watermark.read()
        return None if settled is None else settled.before - START

    def fail(
        self, hour: Hour, kind: FailureKind = "failed", stage: Stage = "ingested", *, minutes_after_request: int = 0
    ) -> None:
        error = SourceUnavailable("404") if kind == "unpublished" else SourceCorrupt("cut")
        Failures(self.session.journal, stage).add(
            hour, kind, error, now=samples.AT + timedelta(minutes=minutes_after_request), run_id="r", before=None,
            first_pause=timedelta(minutes=10),
        )  # fmt: skip

    def when_raised(self, act: Callable[[], object], *, after: bool) -> None:
        """Somebody acts right before, or right after, the watermark is written the next time."""

        def race(verb: str, key: str) -> None:
            if verb in ("create", "replace") and key == keys.SETTLED:
                self.store.before = self.store.after = no_fault
                act()

        setattr(self.store, "after" if after else "before", race)

    def submit(self, *hours: Hour, request_id: str = "01", **changes: Any) -> Request:
        request = Request(
            **{
                "id": request_id, "kind": "backfill", "hours": hours, "who": "a", "why": "b", "created_at": samples.AT,
                **changes,
            }
        )  # fmt: skip
        self.requests.submit(request)
        return request

    def progress(self, request: Request, job: Job, hour: Hour, outcome: ProgressOutcome) -> None:
        self.requests.add_progress(
            Progress(request=request.id, job=job, hour=hour, outcome=outcome, run_id="r", at=samples.AT)
        )

    def closed(self, *requests: Request) -> dict[str, tuple[str, tuple[Hour, ...]]]:
        close_settled_requests(self.session, list(requests))
        found = [self.session.journal.read(keys.closed_request(request.id), ClosedRequest) for request in requests]
        return {closed.request.id: (closed.outcome, closed.failed_hours) for closed, _ in filter(None, found)}


@pytest.fixture
def bench() -> Iterator[Bench]:
    store, clock = InMemoryObjectStore(), FakeClock()
    with samples.session_on(store, clock, job="transformer") as session:
        yield Bench(store, clock, session)


def test_the_watermark_rises_over_complete_hours_up_to_the_first_that_is_not(bench: Bench) -> None:
    bench.complete(0, 4)
    bench.mark(START + 5)
    bench.complete(6, 9)
    assert bench.settle() == 5
    view = bench.picture()
    bench.mark(START + 5, transformed=1)
    assert bench.settle(view, done={START + 5: 1}) == 10


def test_an_hour_with_a_generation_that_is_not_transformed_holds_it(bench: Bench) -> None:
    bench.complete(0, 9)
    bench.mark(START + 3, ingested=2, transformed=1)
    assert bench.settle() == 3


def test_a_gap_holds_it_until_the_hour_counts_as_absent(bench: Bench) -> None:
    bench.complete(0, 2)
    bench.complete(4, 9)
    bench.fail(START + 3, "unpublished")
    assert bench.settle() == 3
    bench.clock.advance(timedelta(days=14).total_seconds())
    assert bench.settle() == 10


def test_a_gap_that_failed_otherwise_never_counts_as_absent(bench: Bench) -> None:
    bench.complete(0, 2)
    bench.complete(4, 9)
    bench.fail(START + 3, "failed")
    bench.clock.advance(timedelta(days=99).total_seconds())
    assert bench.settle() == 3


def test_it_never_passes_the_newest_ingested_hour(bench: Bench) -> None:
    bench.complete(0, 2)
    bench.fail(START + 3, "unpublished")
    bench.clock.advance(timedelta(days=99).total_seconds())
    assert bench.settle() == 3


def test_nothing_is_written_where_it_does_not_move(bench: Bench) -> None:
    assert bench.settle() is None
    bench.complete(0, 2)
    assert bench.settle() == 3
    _, etag = bench.watermark.read()
    assert bench.settle() == 3
    assert bench.watermark.read()[1] == etag


def test_before_the_first_ingestion_there_is_no_watermark(bench: Bench) -> None:
    bench.store.delete(keys.START)
    assert bench.settle() is None


def test_a_start_that_was_moved_back_begins_it_anew(bench: Bench) -> None:
    bench.complete(0, 9)
    bench.settle()
    earlier = START + -2
    bench.mark(earlier, transformed=1)
    raise_watermark(bench.session, look(bench.session, earlier), {}, absent_after=timedelta(days=14))
    settled, _ = bench.watermark.read()
    assert settled
    assert (settled.start, settled.before) == (earlier, earlier + 1)
    assert bench.watermark.floor(earlier) == earlier + 1


def test_an_old_hour_loaded_during_the_work_is_not_passed_over(bench: Bench) -> None:
    bench.complete(0, 4)
    bench.settle()
    bench.complete(5, 9)
    view = bench.picture()
    bench.watermark.lower_to(START + 1)  # as the ingestor does before and after its marker
    bench.mark(START + 1, ingested=2, transformed=1)
    bench.watermark.lower_to(START + 1)
    assert bench.settle(view) == 1
    assert [planned.hour for planned in bench.picture().owed()] == [START + 1]


def ingest(bench: Bench, hour: Hour) -> None:
    """A next generation, by the ingestor's protocol."""
    bench.watermark.lower_to(hour)
    bench.mark(hour, ingested=2)
    bench.watermark.lower_to(hour)


def test_a_recent_hour_restated_during_the_work_is_not_passed_over(bench: Bench) -> None:
    bench.complete(0, 9)
    view = bench.picture()
    ingest(bench, START + 7)
    assert bench.settle(view) == 7


@pytest.mark.parametrize("after", [False, True], ids=["right before", "right after"])
def test_an_hour_restated_at_the_moment_of_the_raising_is_not_passed_over(bench: Bench, after: bool) -> None:
    bench.complete(0, 9)
    bench.when_raised(lambda: ingest(bench, START + 7), after=after)
    assert bench.settle() == 7


def test_a_watermark_lowered_at_the_moment_of_the_raising_stays_low(bench: Bench) -> None:
    bench.complete(0, 4)
    bench.settle()
    bench.complete(5, 9)
    bench.when_raised(lambda: ingest(bench, START + 2), after=False)
    assert bench.settle() == 2


def test_a_request_stays_open_until_each_of_its_hours_is_complete(bench: Bench) -> None:
    request = bench.submit(START, START + 1)
    assert bench.closed(request) == {}
    bench.complete(0, 0)
    bench.mark(START + 1)
    assert bench.closed(request) == {}
    bench.complete(1, 1)
    assert bench.closed(request) == {"01": ("done", ())}


def test_a_generation_that_is_not_transformed_keeps_a_request_open(bench: Bench) -> None:
    request = bench.submit(START)
    bench.mark(START, ingested=2, transformed=1)
    assert bench.closed(request) == {}


@pytest.mark.parametrize("stage", ["ingested", "transformed"])
def test_an_hour_that_failed_since_it_was_asked_for_settles_its_request(bench: Bench, stage: Stage) -> None:
    request = bench.submit(START, START + 1)
    bench.complete(0, 0)
    bench.fail(START + 1, stage=stage, minutes_after_request=1)
    assert bench.closed(request) == {"01": ("failed", (START + 1,))}


def test_an_hour_that_failed_before_it_was_asked_for_does_not(bench: Bench) -> None:
    request = bench.submit(START)
    bench.fail(START, minutes_after_request=-1)
    assert bench.closed(request) == {}


def test_a_complete_hour_is_done_whatever_failed_on_the_way(bench: Bench) -> None:
    request = bench.submit(START)
    bench.fail(START, minutes_after_request=1)
    bench.complete(0, 0)
    assert bench.closed(request) == {"01": ("done", ())}


def test_a_forced_request_is_settled_by_what_was_done_for_it_and_not_by_old_markers(bench: Bench) -> None:
    bench.complete(0, 2)
    request = bench.submit(START, START + 1, START + 2, force=True)
    assert bench.closed(request) == {}
    bench.progress(request, "ingestor", START, "done")
    bench.progress(request, "ingestor", START + 1, "failed")
    bench.progress(request, "ingestor", START + 2, "done")
    assert bench.closed(request) == {}
    bench.progress(request, "transformer", START, "done")
    bench.progress(request, "transformer", START + 2, "failed")
    assert bench.closed(request) == {"01": ("failed", (START + 1, START + 2))}


def test_a_transform_request_waits_for_the_transformer_alone(bench: Bench) -> None:
    bench.complete(0, 0)
    request = bench.submit(START, kind="transform")
    assert bench.closed(request) == {}
    bench.progress(request, "transformer", START, "done")
    assert bench.closed(request) == {"01": ("done", ())}


def test_a_request_that_is_open_holds_up_no_other(bench: Bench) -> None:
    bench.complete(0, 0)
    waiting, settled = bench.submit(START + 5), bench.submit(START, request_id="02")
    assert bench.closed(waiting, settled) == {"02": ("done", ())}


def test_a_large_backfill_is_looked_at_in_a_few_listings(bench: Bench) -> None:
    bench.complete(-400, 9)
    request = bench.submit(*hour_range(START + -400, START + 20))
    bench.store.requests.clear()
    assert bench.closed(request) == {}
    assert sum(bench.store.requests.values()) < 10


def test_an_hour_from_before_the_start_is_passed_once_complete_with_the_gap_behind_it(bench: Bench) -> None:
    bench.complete(0, 3)
    assert bench.settle() == 4
    asked_for = START + -30
    bench.watermark.lower_to(asked_for)
    bench.mark(asked_for)
    assert asked_for in {planned.hour for planned in bench.picture().owed()}
    bench.mark(asked_for, transformed=1)
    assert bench.settle() == 4


def test_without_a_known_start_the_oldest_marker_begins_it(bench: Bench) -> None:
    bench.store.delete(keys.START)
    bench.complete(2, 4)
    bench.complete(6, 6)
    assert bench.settle() == 5
    settled, _ = bench.watermark.read()
    assert settled is not None
    assert settled.start == START + 2
