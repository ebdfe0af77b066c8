from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from ingestor.planning import Picture
from ingestor.units import Unit, next_units, units_asked_for
from pageviews_core.errors import SourceCorrupt
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.keys import FailureKey
from pageviews_core.records.request import Progress, Request
from pageviews_core.requests import Requests

NEWEST = samples.hour("2026-11-20T09")
START = NEWEST + -5


def request(*hours: Hour, request_id: str = "01", **changes: Any) -> Request:
    return Request(
        **{
            "id": request_id,
            "kind": "backfill",
            "hours": hours,
            "who": "a",
            "why": "b",
            "created_at": samples.AT,
            **changes,
        }
    )


def picture(**changes: Any) -> Picture:
    given: dict[str, Any] = {
        "now": FakeClock().now(), "start": START, "end": None, "settled": START, "ingested": {}, "failures": {},
        **changes,
    }  # fmt: skip
    return Picture(**given)


class Asked:
    """What the ingestor would be asked for."""

    def __init__(self) -> None:
        self.journal = Journal(InMemoryObjectStore())
        self.requests = Requests(self.journal)
        self.failures = Failures(self.journal, "ingested")

    def units(self, view: Picture, *requests: Request) -> list[Unit]:
        return list(units_asked_for(self.requests, self.failures, requests, view))

    def hours(self, view: Picture, *requests: Request) -> list[int]:
        return [unit.hour - NEWEST for unit in self.units(view, *requests)]

    def fail(self, hour: Hour, *, minutes_after_request: int) -> dict[Hour, FailureKey]:
        at = samples.AT + timedelta(minutes=minutes_after_request)
        self.failures.add(
            hour, "failed", SourceCorrupt("x"), now=at, run_id="r", before=None, first_pause=timedelta(minutes=10)
        )
        return self.failures.newest()


@pytest.fixture
def asked() -> Asked:
    return Asked()


def order(view: Picture, *asked: Hour, suspended: bool = False) -> list[tuple[int, bool]]:
    """The hours before the newest one in the order of work, and whether somebody asked for them."""
    tried: set[Hour] = set()
    units = [Unit(hour, request(hour)) for hour in asked]
    found = []
    while following := next_units(view, units, tried, suspended=suspended, most=3):
        unit = following[0]
        tried.add(unit.hour)
        assert following[1:] == next_units(view, units, tried, suspended=suspended, most=2)  # what is read ahead
        found.append((unit.hour - NEWEST, unit.request is not None))
    return found


def test_the_newest_hour_goes_before_requests_and_requests_before_gaps() -> None:
    assert order(picture(), NEWEST + -30, NEWEST + -2) == [
        (0, False), (-30, True), (-2, True), (-5, False), (-4, False), (-3, False), (-1, False),
    ]  # fmt: skip


def test_an_older_hour_does_not_go_before_requests_where_the_newest_is_there() -> None:
    view = picture(ingested={NEWEST: 1})
    assert order(view, NEWEST + -30)[:2] == [(-30, True), (-1, False)]


def test_a_newest_hour_that_pauses_after_a_failure_is_not_tried() -> None:
    later = FakeClock().now() + timedelta(minutes=1)
    view = picture(settled=NEWEST, failures={NEWEST: FailureKey(NEWEST, 1, later, "failed")})
    assert order(view) == []
    assert order(view, NEWEST + -30) == [(-30, True)]


def test_a_suspended_schedule_leaves_only_requests() -> None:
    assert order(picture(), NEWEST + -30, suspended=True) == [(-30, True)]
    assert order(picture(), suspended=True) == []


def test_an_hour_that_was_tried_in_this_tick_is_not_tried_again() -> None:
    assert next_units(picture(settled=NEWEST), [Unit(NEWEST)], {NEWEST}, suspended=False, most=3) == []


def test_a_backfill_asks_for_the_hours_that_are_missing(asked: Asked) -> None:
    view = picture(settled=NEWEST + -3, ingested={NEWEST: 1})
    hours = (NEWEST, NEWEST + -1, NEWEST + -4, NEWEST + 1, NEWEST + -30)
    assert asked.hours(view, request(*hours)) == [-1, -30]


def test_a_backfill_asks_for_an_absent_hour_before_the_watermark_too(asked: Asked) -> None:
    failures = asked.fail(NEWEST + -4, minutes_after_request=-60)
    assert asked.hours(picture(settled=NEWEST, failures=failures), request(NEWEST + -4, NEWEST + -3)) == [-4]


def test_an_hour_that_failed_before_it_was_asked_for_is_tried_at_once(asked: Asked) -> None:
    failures = asked.fail(NEWEST, minutes_after_request=-1)
    assert asked.hours(picture(failures=failures), request(NEWEST)) == [0]


def test_an_hour_that_failed_since_it_was_asked_for_waits_for_its_pause(asked: Asked) -> None:
    failures = asked.fail(NEWEST, minutes_after_request=1)
    assert asked.hours(picture(failures=failures), request(NEWEST, NEWEST + -1)) == [-1]


def test_a_forced_backfill_asks_even_for_what_is_there_but_once(asked: Asked) -> None:
    view = picture(ingested={NEWEST: 1, NEWEST + -1: 1})
    forced = request(NEWEST, NEWEST + -1, NEWEST + -2, force=True)
    for hour, outcome in ((NEWEST, "done"), (NEWEST + -2, "failed")):
        asked.requests.add_progress(
            Progress(request="01", job="ingestor", hour=hour, outcome=outcome, run_id="r", at=samples.AT)
        )
    assert asked.units(view, forced) == [Unit(NEWEST + -1, forced, force=True)]


def test_requests_are_worked_on_in_the_order_given_and_other_kinds_are_the_transformers(asked: Asked) -> None:
    transform = request(NEWEST, kind="transform")
    first, second = request(NEWEST + -1), request(NEWEST + -2, request_id="02")
    assert asked.hours(picture(), transform, second, first) == [-2, -1]
