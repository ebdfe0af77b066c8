from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.unit.ingestor.fakes import FakeDumps, FakeIngest

from ingestor.attempt import Attempt, Attempts
from ingestor.ingest import Ingest
from ingestor.looking import look
from ingestor.planning import Picture
from ingestor.settings import IngestorSettings
from ingestor.units import Unit
from pageviews_core import keys
from pageviews_core.errors import (
    ConfigurationError,
    HourError,
    LeaseLost,
    PageviewsError,
    SourceCorrupt,
    SourceUnavailable,
    Stopped,
    StoreUnavailable,
    TooManyRejects,
    WarehouseUnavailable,
)
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.lease import LeaseRecord, Leases, lease_key
from pageviews_core.markers import newest_generation
from pageviews_core.records.control import Recheck, Settled
from pageviews_core.records.failure import Failure
from pageviews_core.records.request import Request
from pageviews_core.records.run import HourOutcome, RunRecord
from pageviews_core.requests import Requests

NEWEST = samples.hour("2026-11-20T09")
OLD = NEWEST + -100
ASKED = Request(id="01", kind="backfill", hours=(NEWEST,), who="a", why="b", created_at=samples.AT)


class Bench:
    """Attempts of one run, on a source and an intake that do as they are told."""

    def __init__(self, store: InMemoryObjectStore, clock: FakeClock, session: Session) -> None:
        self.store = store
        self.clock = clock
        self.session = session
        self.dumps = FakeDumps(*(NEWEST + -offset for offset in range(200)))
        self.ingest = FakeIngest(session)
        self.opened = 0
        self.failures = Failures(session.journal, "ingested")
        self.attempts = Attempts(
            session, self._open, self.dumps, sla=timedelta(hours=6), retry_after=timedelta(minutes=10)
        )

    def _open(self) -> Ingest:
        self.opened += 1
        return cast(Ingest, self.ingest)

    def picture(self) -> Picture:
        return look(self.session, IngestorSettings(contact="x", start=OLD), self.dumps)

    def take(self, unit: Unit) -> Attempt:
        return self.attempts.take(unit, self.picture())

    def recheck(self, hour: Hour) -> None:
        self.attempts.recheck(hour, Recheck(checks=0, next_at=self.clock.now()))

    def failure(self, hour: Hour = NEWEST) -> Failure | None:
        key = self.failures.newest().get(hour)
        return self.failures.read(key) if key else None

    def generation(self, hour: Hour = NEWEST) -> int:
        return newest_generation(self.store, "ingested", hour)

    def outcomes(self) -> list[HourOutcome]:
        found = self.session.journal.read(keys.run_record(self.session.run.id), RunRecord)
        return list(found[0].hours) if found else []

    def mark(self, hour: Hour, generation: int = 1) -> None:
        self.store.put(keys.marker("ingested", hour, generation), samples.ingested_marker(hour, generation).encode())

    def fail(self, hour: Hour) -> None:
        self.failures.add(
            hour, "failed", SourceCorrupt("x"), now=self.clock.now(), run_id="r", before=None,
            first_pause=timedelta(minutes=10),
        )  # fmt: skip

    def progress(self) -> dict[Hour, str]:
        return dict(Requests(self.session.journal).hours_dealt_with(ASKED, "ingestor"))


@pytest.fixture
def bench() -> Iterator[Bench]:
    store, clock = InMemoryObjectStore(), FakeClock()
    with samples.session_on(store, clock) as session:
        yield Bench(store, clock, session)
        session.run.finish("succeeded")


def test_a_published_hour_is_taken_in_under_a_lease(bench: Bench) -> None:
    attempt = bench.take(Unit(NEWEST))
    assert (attempt.worked, attempt.held, attempt.error, dict(attempt.ingested)) == (True, False, None, {NEWEST: 1})
    assert [(outcome.hour, outcome.outcome) for outcome in bench.outcomes()] == [(NEWEST, "done")]
    lease = LeaseRecord.decode(bench.store.get(lease_key("ingested", NEWEST))[0], "lease")
    assert (lease.fence, lease.expires_at) == (1, None)
    assert set(bench.attempts.loaded) == {NEWEST}


def test_an_hour_that_is_not_published_yet_is_waited_for_without_a_trace(bench: Bench) -> None:
    bench.dumps.published.clear()
    attempt = bench.take(Unit(NEWEST))
    assert (attempt.worked, attempt.held) == (False, False)
    assert isinstance(attempt.error, SourceUnavailable)
    assert bench.store.all_keys() == ()
    assert bench.opened == 0


def test_a_late_hour_gets_a_pause_but_no_run(bench: Bench) -> None:
    bench.dumps.published.clear()
    bench.take(Unit(NEWEST + -6))
    failure = bench.failure(NEWEST + -6)
    assert failure is not None
    assert (failure.kind, failure.next_try_at - failure.at) == ("unpublished", timedelta(minutes=10))
    assert not bench.session.run.began


def test_the_sla_ends_at_the_very_second(bench: Bench) -> None:
    bench.dumps.published.clear()
    bench.clock.advance((NEWEST.ended_at + timedelta(hours=6) - bench.clock.now()).total_seconds() - 1)
    bench.take(Unit(NEWEST))
    assert bench.failure() is None
    bench.clock.advance(1)
    bench.take(Unit(NEWEST))
    assert bench.failure() is not None


def test_a_person_who_asked_is_told_that_an_hour_is_not_published(bench: Bench) -> None:
    bench.dumps.published.clear()
    bench.take(Unit(NEWEST, ASKED))
    failure = bench.failure()
    assert failure is not None
    assert failure.kind == "unpublished"
    assert bench.progress() == {}


def test_an_hour_withdrawn_between_the_question_and_the_download_is_not_published(bench: Bench) -> None:
    bench.ingest.withdrawn.add(NEWEST + -10)
    attempt = bench.take(Unit(NEWEST + -10))
    assert isinstance(attempt.error, SourceUnavailable)
    failure = bench.failure(NEWEST + -10)
    assert failure is not None
    assert failure.kind == "unpublished"


@pytest.mark.parametrize("error", [SourceCorrupt("cut"), TooManyRejects("all"), ZeroDivisionError("a bug")])
def test_an_hours_own_fault_is_recorded_and_the_next_hour_goes_on(bench: Bench, error: Exception) -> None:
    bench.ingest.errors[NEWEST] = error
    attempt = bench.take(Unit(NEWEST))
    assert attempt.worked
    assert str(error) in str(attempt.error)
    failure = bench.failure()
    assert failure is not None
    assert (failure.kind, failure.error_type, failure.error) == ("failed", type(error).__name__, str(error))
    assert bench.take(Unit(NEWEST + -1)).error is None
    assert [outcome.outcome for outcome in bench.outcomes()] == ["failed", "done"]


def test_a_bug_in_one_hour_is_raised_at_the_end_of_the_tick(bench: Bench) -> None:
    bench.ingest.errors[NEWEST] = ZeroDivisionError("a bug")
    bench.take(Unit(NEWEST))
    bench.take(Unit(NEWEST + -1))
    with pytest.raises(ZeroDivisionError):
        bench.attempts.raise_outage()


def test_a_success_clears_what_failed_before_and_knows_the_number_of_the_attempt(bench: Bench) -> None:
    bench.ingest.errors[NEWEST] = SourceCorrupt("cut")
    for _ in range(2):
        bench.take(Unit(NEWEST))
    bench.ingest.errors.clear()
    bench.take(Unit(NEWEST))
    assert bench.ingest.taken == [(NEWEST, 1), (NEWEST, 2), (NEWEST, 3)]
    assert bench.failures.newest() == {}


@pytest.mark.parametrize(
    "error", [StoreUnavailable("full"), WarehouseUnavailable("held"), ConfigurationError("no permission")]
)
def test_what_no_hour_can_help_ends_the_tick_and_blames_no_hour(bench: Bench, error: PageviewsError) -> None:
    bench.ingest.errors[NEWEST] = error
    with pytest.raises(type(error)):
        bench.take(Unit(NEWEST))
    assert bench.failure() is None


def test_a_stop_ends_the_tick_and_is_told_of_the_hour(bench: Bench) -> None:
    bench.ingest.errors[NEWEST] = Stopped("asked")
    with pytest.raises(Stopped):
        bench.take(Unit(NEWEST))
    assert bench.failure() is None
    assert [outcome.outcome for outcome in bench.outcomes()] == ["stopped"]
    with Leases(bench.store, bench.clock, holder="other") as others:
        assert others.acquire("ingested", NEWEST).fence == 2


def test_a_second_hour_in_a_row_without_an_answer_is_an_outage(bench: Bench) -> None:
    for offset in (0, 2, 3):
        bench.dumps.errors[NEWEST + -offset] = SourceUnavailable("503")
    assert bench.take(Unit(NEWEST)).error is not None
    bench.take(Unit(NEWEST + -1))
    assert bench.take(Unit(NEWEST + -2)).error is not None
    with pytest.raises(SourceUnavailable):
        bench.take(Unit(NEWEST + -3))


def test_one_hour_without_an_answer_among_others_is_no_outage(bench: Bench) -> None:
    bench.dumps.errors[NEWEST] = SourceUnavailable("503")
    bench.take(Unit(NEWEST))
    with pytest.raises(SourceUnavailable):
        bench.attempts.raise_outage()
    bench.take(Unit(NEWEST + -1))
    bench.attempts.raise_outage()


def test_an_hour_that_a_live_run_holds_is_left_to_it(bench: Bench) -> None:
    with Leases(bench.store, bench.clock, holder="other") as others, others.acquire("ingested", NEWEST):
        attempt = bench.take(Unit(NEWEST))
    assert (attempt.held, attempt.worked, attempt.error) == (True, False, None)
    assert not bench.session.run.began
    assert bench.failure() is None


def test_a_lease_lost_on_the_way_fails_no_hour(bench: Bench) -> None:
    bench.ingest.errors[NEWEST] = LeaseLost("taken over")
    attempt = bench.take(Unit(NEWEST))
    assert (attempt.held, attempt.worked, attempt.error) == (True, True, None)
    assert bench.failure() is None
    assert [outcome.outcome for outcome in bench.outcomes()] == ["held"]


def test_an_hour_that_another_run_has_loaded_meanwhile_is_not_loaded_again(bench: Bench) -> None:
    picture = bench.picture()
    bench.mark(NEWEST, 3)
    attempt = bench.attempts.take(Unit(NEWEST), picture)
    assert (attempt.worked, dict(attempt.ingested)) == (False, {NEWEST: 3})
    assert bench.ingest.taken == []
    assert not bench.session.run.began


def test_failures_that_a_killed_run_left_of_a_loaded_hour_are_cleared(bench: Bench) -> None:
    bench.fail(NEWEST)
    picture = bench.picture()
    bench.mark(NEWEST)
    bench.attempts.take(Unit(NEWEST), picture)
    assert bench.failures.newest() == {}


def test_failures_left_of_an_hour_before_the_watermark_are_cleared_without_asking_the_source(bench: Bench) -> None:
    bench.mark(OLD + 1)
    bench.fail(OLD + 1)
    bench.session.journal.put(keys.SETTLED, Settled(start=OLD, before=NEWEST))
    bench.clock.advance(3600)
    picture = bench.picture()
    assert OLD + 1 in [planned.hour for planned in picture.owed()]
    assert dict(bench.attempts.take(Unit(OLD + 1), picture).ingested) == {OLD + 1: 1}
    assert bench.failures.newest() == {}
    assert bench.dumps.asked == []


def test_force_takes_in_what_is_there_as_the_next_generation(bench: Bench) -> None:
    bench.mark(NEWEST)
    forced = ASKED.model_copy(update={"force": True})
    assert dict(bench.take(Unit(NEWEST, forced, force=True)).ingested) == {NEWEST: 2}
    assert bench.progress() == {NEWEST: "done"}


def test_a_forced_hour_that_fails_keeps_its_marker_and_gets_no_failure(bench: Bench) -> None:
    bench.mark(NEWEST)
    bench.ingest.errors[NEWEST] = SourceCorrupt("cut")
    forced = ASKED.model_copy(update={"force": True})
    bench.take(Unit(NEWEST, forced, force=True))
    assert (bench.failure(), bench.generation(), bench.progress()) == (None, 1, {NEWEST: "failed"})


@pytest.mark.parametrize(
    ("hours", "trigger"), [((NEWEST,), "manual"), ((NEWEST, NEWEST + -1), "backfill")], ids=["one", "several"]
)
def test_a_run_names_the_request_that_it_is_for(bench: Bench, hours: tuple[Hour, ...], trigger: str) -> None:
    bench.take(Unit(NEWEST, ASKED.model_copy(update={"hours": hours})))
    assert (bench.session.run.trigger, bench.session.run.request) == (trigger, "01")


def test_an_hour_that_the_source_has_not_changed_is_not_taken_in_again(bench: Bench) -> None:
    bench.mark(NEWEST)
    bench.recheck(NEWEST)
    assert bench.ingest.taken == []
    assert not bench.session.run.began


def test_a_restated_hour_becomes_the_next_generation(bench: Bench) -> None:
    bench.mark(NEWEST)
    bench.dumps.etags[NEWEST] = '"2"'
    bench.recheck(NEWEST)
    assert bench.generation() == 2
    assert [outcome.generation for outcome in bench.outcomes()] == [2]


@pytest.mark.parametrize("error", [SourceCorrupt("cut"), HourError("bad"), SourceUnavailable("503")])
@pytest.mark.parametrize("where", ["question", "download"])
def test_a_recheck_that_fails_leaves_the_hour_complete(bench: Bench, error: Exception, where: str) -> None:
    bench.mark(NEWEST)
    bench.dumps.etags[NEWEST] = '"2"'
    (bench.dumps.errors if where == "question" else bench.ingest.errors)[NEWEST] = error
    bench.recheck(NEWEST)
    assert (bench.generation(), bench.failure()) == (1, None)


def test_rechecks_of_a_source_that_is_down_end_with_the_second(bench: Bench) -> None:
    for offset in range(5):
        bench.mark(NEWEST + -offset)
        bench.dumps.errors[NEWEST + -offset] = SourceUnavailable("503")
    bench.recheck(NEWEST)
    with pytest.raises(SourceUnavailable):
        bench.recheck(NEWEST + -1)


def test_a_restated_hour_that_a_live_run_holds_is_left_to_it(bench: Bench) -> None:
    bench.mark(NEWEST)
    bench.dumps.etags[NEWEST] = '"2"'
    with Leases(bench.store, bench.clock, holder="other") as others, others.acquire("ingested", NEWEST):
        bench.recheck(NEWEST)
    assert bench.ingest.taken == []


def test_an_hour_without_a_marker_is_not_rechecked(bench: Bench) -> None:
    bench.recheck(NEWEST)
    assert bench.dumps.asked == []
