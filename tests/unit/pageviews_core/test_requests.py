from __future__ import annotations

from typing import Any, get_args

import pytest
from tests import samples
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.request import ClosedRequest, Progress, Request
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests

HOUR = samples.hour()


class Desk:
    """Requests over a store in memory."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.journal = Journal(self.store)
        self.requests = Requests(self.journal)

    def submit(self, request_id: str, **changes: Any) -> Request:
        given = {"kind": "backfill", "hours": (HOUR,), **changes}
        request = Request(id=request_id, who="ann", why="a gap", created_at=samples.AT, **given)
        self.requests.submit(request)
        return request

    def cancel(self, request_id: str, target: str) -> Request:
        return self.submit(request_id, kind="cancel", hours=(), cancels=target)

    def outcomes(self) -> dict[str, str]:
        closed = (self.journal.read(info.key, ClosedRequest) for info in self.store.list(keys.CLOSED_REQUESTS))
        return {found.request.id: found.outcome for found, _ in filter(None, closed)}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_open_requests_are_taken_oldest_first_and_stay_open(desk: Desk) -> None:
    second, first = desk.submit("02"), desk.submit("01")
    assert desk.requests.take(samples.AT) == [first, second]
    assert desk.requests.open() == [first, second]


def test_an_id_serves_once(desk: Desk) -> None:
    desk.submit("01")
    with pytest.raises(ObjectExists):
        desk.submit("01", hours=(HOUR + 1,))


def test_a_cancelled_request_is_closed_together_with_its_cancellation(desk: Desk) -> None:
    desk.submit("01")
    kept = desk.submit("02")
    desk.cancel("03", "01")
    assert desk.requests.take(samples.AT) == [kept]
    assert desk.outcomes() == {"01": "cancelled", "03": "done"}
    assert desk.requests.open() == [kept]


def test_cancelling_what_is_closed_or_never_was_is_done_at_once(desk: Desk) -> None:
    desk.cancel("03", "01")
    assert desk.requests.take(samples.AT) == []
    assert desk.outcomes() == {"03": "done"}


@pytest.mark.parametrize("pairs", [[("01", "01")], [("01", "02"), ("02", "03")], [("01", "02"), ("02", "01")]])
def test_cancellations_of_cancellations_end(desk: Desk, pairs: list[tuple[str, str]]) -> None:
    for request_id, target in pairs:
        desk.cancel(request_id, target)
    assert desk.requests.take(samples.AT) == []
    assert desk.requests.open() == []
    assert set(desk.outcomes()) == {request_id for request_id, _ in pairs}


def test_a_cancellation_that_was_itself_cancelled_first_cancels_nothing(desk: Desk) -> None:
    desk.cancel("01", "02")
    desk.cancel("02", "03")
    kept = desk.submit("03")
    assert desk.requests.take(samples.AT) == [kept]


def test_a_closed_request_tells_which_hours_failed(desk: Desk) -> None:
    request = desk.submit("01", hours=(HOUR, HOUR + 1))
    desk.requests.close(request, "failed", (HOUR + 1,), samples.AT)
    found = desk.journal.read(keys.closed_request("01"), ClosedRequest)
    assert found is not None
    assert found[0] == ClosedRequest(request=request, outcome="failed", failed_hours=(HOUR + 1,), closed_at=samples.AT)
    assert desk.requests.open() == []


def test_the_first_to_close_a_request_decides_its_outcome(desk: Desk) -> None:
    request = desk.submit("01")
    desk.requests.close(request, "done", (), samples.AT)
    desk.requests.close(request, "cancelled", (), samples.AT)
    assert desk.outcomes() == {"01": "done"}


def test_a_closing_that_was_killed_in_the_middle_is_completed_by_the_next(desk: Desk) -> None:
    request = desk.submit("01")

    def dies(verb: str, key: str) -> None:
        if verb == "delete":
            raise StoreUnavailable("killed here")

    desk.store.before = dies
    with pytest.raises(StoreUnavailable):
        desk.requests.close(request, "done", (), samples.AT)
    desk.store.before = lambda verb, key: None
    assert desk.requests.open() == [request]
    desk.requests.close(request, "done", (), samples.AT)
    assert desk.requests.open() == []
    assert desk.outcomes() == {"01": "done"}


def test_a_request_that_another_job_closes_during_the_listing_is_passed_over(desk: Desk) -> None:
    first, second = desk.submit("01"), desk.submit("02")

    def race(verb: str, key: str) -> None:
        if verb == "get" and key == keys.open_request("01"):
            desk.store.before = lambda verb, key: None
            desk.requests.close(first, "done", (), samples.AT)

    desk.store.before = race
    assert desk.requests.open() == [second]


def test_submitting_is_announced_where_watchers_look(desk: Desk) -> None:
    desk.submit("01")
    changes = [desk.store.get(info.key)[0] for info in desk.store.list(keys.CHANGES)]
    assert [b"requests/open/01.json" in change for change in changes] == [True]


@pytest.mark.parametrize("job", get_args(Job))
def test_progress_is_kept_by_request_and_by_job(desk: Desk, job: Job) -> None:
    request, other = desk.submit("01"), desk.submit("02")
    for hour, outcome in ((HOUR, "done"), (HOUR + 1, "failed"), (HOUR, "done")):
        desk.requests.add_progress(
            Progress(request="01", job=job, hour=hour, outcome=outcome, run_id="r", at=samples.AT)
        )
    assert desk.requests.hours_dealt_with(request, job) == {HOUR: "done", HOUR + 1: "failed"}
    assert desk.requests.hours_dealt_with(other, job) == {}
    assert sum(len(desk.requests.hours_dealt_with(request, each)) for each in get_args(Job)) == 2


@pytest.mark.parametrize("body", [b"{", b'{"schema_version": 99}', b"[]"])
def test_a_request_that_cannot_be_understood_stays_open_and_holds_up_no_other(desk: Desk, body: bytes) -> None:
    desk.store.put(keys.open_request("00"), body)
    request = desk.submit("01")
    assert desk.requests.take(samples.AT) == [request]
    assert keys.open_request("00") in desk.store.all_keys()


def test_a_request_under_another_ones_name_is_not_taken(desk: Desk) -> None:
    request = desk.submit("01")
    desk.store.put(keys.open_request("02"), request.encode())
    assert desk.requests.open() == [request]
