from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import SourceCorrupt, SourceUnavailable, UnknownSchemaVersion
from pageviews_core.failures import LONGEST_PAUSE, Failures, pause_after
from pageviews_core.journal import Journal
from pageviews_core.records.failure import Failure, FailureKind

HOUR = samples.hour()
FIRST = timedelta(minutes=10)


class Failing:
    """One hour that fails again and again, each time that it is due."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.clock = FakeClock()
        self.failures = Failures(Journal(self.store), "ingested")

    def fail(self, kind: FailureKind = "failed", *, error: Exception | None = None) -> Failure:
        before = self.failures.newest().get(HOUR)
        if before is not None:
            self.clock.advance(max(0.0, (before.next_try_at - self.clock.now()).total_seconds()))
        self.clock.advance(0.7)
        return self.failures.add(
            HOUR, kind, error or SourceCorrupt("truncated"), now=self.clock.now(), run_id="run", before=before,
            first_pause=FIRST, evidence="quarantine/x",
        )  # fmt: skip


@pytest.fixture
def failing() -> Failing:
    return Failing()


def minutes(failure: Failure) -> float:
    return round((failure.next_try_at - failure.at).total_seconds() / 60, 0)


@given(
    st.integers(1, 10_000),
    st.sampled_from(get_args(FailureKind)),
    st.timedeltas(timedelta(seconds=1), timedelta(days=2)),
)
def test_pauses_never_shrink_and_have_an_end(attempt: int, kind: FailureKind, first: timedelta) -> None:
    assert pause_after(attempt, kind, first) <= pause_after(attempt + 1, kind, first) <= LONGEST_PAUSE[kind]


def test_an_hour_that_fails_is_left_alone_twice_as_long_each_time(failing: Failing) -> None:
    found = [minutes(failing.fail()) for _ in range(8)]
    assert found == [10, 20, 40, 80, 160, 320, 360, 360]


def test_an_hour_that_is_not_published_is_looked_for_ever_more_rarely_up_to_once_a_day(failing: Failing) -> None:
    found = [minutes(failing.fail("unpublished")) for _ in range(10)]
    assert found == [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]


def test_a_change_of_kind_starts_with_short_pauses_again(failing: Failing) -> None:
    for _ in range(8):
        waited = failing.fail("unpublished")
    found = [failing.fail("failed") for _ in range(3)]
    assert [minutes(failure) for failure in found] == [10, 20, 40]
    assert [failure.attempt for failure in found] == [9, 10, 11]
    assert found[0].failing_since == found[0].at > waited.at
    assert minutes(failing.fail("unpublished")) == 10


def test_since_when_an_hour_has_failed_is_kept_from_attempt_to_attempt(failing: Failing) -> None:
    found = [failing.fail() for _ in range(3)]
    assert {failure.failing_since for failure in found} == {found[0].at}
    assert [failure.attempt for failure in found] == [1, 2, 3]


def test_a_record_tells_what_went_wrong_and_where_the_evidence_is(failing: Failing) -> None:
    failing.fail(error=SourceUnavailable("503"))
    key = failing.failures.newest()[HOUR]
    record = failing.failures.read(key)
    assert record is not None
    assert (record.error_type, record.error, record.evidence) == ("SourceUnavailable", "503", "quarantine/x")
    assert (key.attempt, key.next_try_at, key.kind) == (record.attempt, record.next_try_at, "failed")


def test_a_listing_gives_the_newest_attempt_of_each_hour(failing: Failing) -> None:
    for _ in range(12):
        failing.fail()
    other = HOUR + -30
    failing.failures.add(
        other,
        "unpublished",
        SourceUnavailable("x"),
        now=failing.clock.now(),
        run_id="r",
        before=None,
        first_pause=FIRST,
    )
    newest = failing.failures.newest()
    assert (newest[HOUR].attempt, newest[other].attempt) == (12, 1)
    assert list(newest) == [other, HOUR]
    assert Failures(Journal(failing.store), "transformed").newest() == {}


def test_a_cleared_hour_has_no_failures_and_its_neighbours_keep_theirs(failing: Failing) -> None:
    failing.fail()
    failing.fail()
    failing.failures.add(
        HOUR + 1, "failed", SourceCorrupt("x"), now=failing.clock.now(), run_id="r", before=None, first_pause=FIRST
    )
    failing.failures.clear(HOUR)
    assert list(failing.failures.newest()) == [HOUR + 1]
    assert minutes(failing.fail()) == 10


def test_the_same_attempt_of_two_processes_is_recorded_once(failing: Failing) -> None:
    for _ in range(2):
        failing.failures.add(
            HOUR, "failed", SourceCorrupt("x"), now=failing.clock.now(), run_id="r", before=None, first_pause=FIRST
        )
    assert len([key for key in failing.store.all_keys() if key.startswith("failures/")]) == 1


def test_an_attempt_whose_record_was_cleared_meanwhile_is_followed_by_a_first_pause(failing: Failing) -> None:
    failing.fail()
    before = failing.failures.newest()[HOUR]
    failing.failures.clear(HOUR)
    again = failing.failures.add(
        HOUR, "failed", SourceCorrupt("x"), now=failing.clock.now(), run_id="r", before=before, first_pause=FIRST
    )
    assert (again.attempt, minutes(again), again.failing_since) == (2, 10, again.at)


def test_a_failure_of_a_newer_version_is_refused(failing: Failing) -> None:
    failing.fail()
    key = failing.failures.newest()[HOUR]
    failing.store.put(keys.failure("ingested", key), b'{"schema_version": 2}')
    with pytest.raises(UnknownSchemaVersion, match="schema_version 2"):
        failing.failures.read(key)
