from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import SourceCorrupt, StoreUnavailable
from pageviews_core.job.run import Run
from pageviews_core.journal import Journal
from pageviews_core.records.run import HourOutcome, RunRecord

HOUR = samples.hour()


class Bench:
    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.clock = FakeClock()
        self.journal = Journal(self.store)
        self.run = Run(self.journal, self.clock, "ingestor", "schedule")

    def record(self) -> RunRecord:
        found = self.journal.read(keys.run_record(self.run.id), RunRecord)
        assert found is not None
        return found[0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.run.finish("stopped")


def test_a_run_that_never_began_leaves_nothing(bench: Bench) -> None:
    bench.run.record(HourOutcome(hour=HOUR, outcome="held"))
    with bench.run.step("download", HOUR):
        pass
    bench.run.finish("succeeded")
    assert bench.store.all_keys() == ()


def test_a_run_has_a_record_from_its_first_moment(bench: Bench) -> None:
    bench.run.begin()
    record = bench.record()
    assert (record.state, record.trigger, record.request, record.finished_at) == ("running", "schedule", None, None)
    assert record.peak_memory_bytes > 1_000_000


def test_the_first_request_is_what_a_run_is_for(bench: Bench) -> None:
    bench.run.begin(trigger="backfill", request="01")
    bench.run.begin(trigger="manual", request="02")
    assert (bench.record().trigger, bench.record().request) == ("backfill", "01")


def decode_badly(bench: Bench) -> None:
    with bench.run.step("decode", HOUR, HOUR + 1):
        bench.clock.advance(1)
        raise SourceCorrupt("bad")


def test_steps_are_timed_whether_they_succeed_or_not(bench: Bench) -> None:
    bench.run.begin()
    with bench.run.step("download", HOUR):
        bench.clock.advance(2.5)
    with pytest.raises(SourceCorrupt):
        decode_badly(bench)
    bench.run.finish("failed", SourceCorrupt("bad"))
    record = bench.record()
    assert [(step.name, step.seconds, step.succeeded, len(step.hours)) for step in record.steps] == [
        ("download", 2.5, True, 1),
        ("decode", 1.0, False, 2),
    ]
    assert record.finished_at == bench.clock.now()


def test_what_became_of_an_hour_is_in_the_record_at_once_and_the_last_word_counts(bench: Bench) -> None:
    bench.run.begin()
    bench.run.record(HourOutcome(hour=HOUR, outcome="held"))
    bench.run.record(HourOutcome(hour=HOUR, outcome="done", rows=3))
    bench.run.record(HourOutcome(hour=HOUR + 1, outcome="done", rows=4))
    record = bench.record()
    assert [(outcome.hour, outcome.outcome) for outcome in record.hours] == [(HOUR, "done"), (HOUR + 1, "done")]
    assert (record.rows, record.state) == (7, "running")


def test_a_finished_run_has_its_log_as_objects(bench: Bench) -> None:
    bench.run.begin()
    bench.run.finish("succeeded")
    assert any(key.startswith(f"{keys.run(bench.run.id)}/log") for key in bench.store.all_keys())


def test_finishing_gives_the_log_back_even_where_the_record_cannot_be_written(bench: Bench) -> None:
    bench.run.begin()

    def failing(verb: str, key: str) -> None:
        if key.endswith("run.json"):
            raise StoreUnavailable("full")

    bench.store.before = failing
    with pytest.raises(StoreUnavailable):
        bench.run.finish("succeeded")
    bench.store.before = lambda verb, key: None
    assert any(key.startswith(f"{keys.run(bench.run.id)}/log") for key in bench.store.all_keys())


def test_the_time_since_the_start_is_what_a_budget_is_spent_by(bench: Bench) -> None:
    bench.clock.advance(90)
    assert bench.run.elapsed() == timedelta(seconds=90)


def test_a_run_knows_its_pod(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "ingestor-1")
    monkeypatch.setenv("POD_UID", "u")
    bench.run.begin()
    assert (bench.record().pod, bench.record().pod_uid) == ("ingestor-1", "u")
