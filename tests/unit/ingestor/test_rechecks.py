from __future__ import annotations

from datetime import timedelta

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault

from ingestor.rechecks import RecheckPlan
from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.records.control import Rechecks
from pageviews_core.records.marker import SourceFile

NEWEST = samples.hour("2026-11-20T09")
AFTER = timedelta(hours=1)
SOURCE = SourceFile(url="u", etag='"new"', last_modified="Fri", bytes=1, sha256="0" * 64)


class Bench:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore()

    def plan(self, *, window: timedelta = timedelta(hours=48), after: timedelta = AFTER) -> RecheckPlan:
        return RecheckPlan(Journal(self.store), window=window, after=after)

    def followed(
        self, missing: set[Hour] | None = None, *, hours: int = 48, start: Hour = NEWEST + -100
    ) -> RecheckPlan:
        plan = self.plan(window=timedelta(hours=hours))
        plan.follow(self.clock.now(), start, Hour.containing(self.clock.now()), missing or set())
        return plan

    def due(self, plan: RecheckPlan) -> list[Hour]:
        return [hour for hour, _ in plan.due(self.clock.now())]

    def stored(self) -> Rechecks | None:
        found = Journal(self.store).read(keys.RECHECKS, Rechecks)
        return found and found[0]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_loaded_hour_is_first_asked_about_after_a_pause(bench: Bench) -> None:
    bench.followed().save()
    assert bench.due(bench.followed()) == []
    bench.clock.advance(3599)
    assert bench.due(bench.followed()) == []
    bench.clock.advance(1)
    assert len(bench.due(bench.followed())) == 46  # one of the 47 has left the window, and a new one has come


def test_pauses_double_up_to_a_day(bench: Bench) -> None:
    plan = bench.followed({NEWEST + -offset for offset in range(1, 100)})
    pauses = []
    for _ in range(8):
        bench.clock.step(3600 * 24 * 2)
        before = bench.clock.now()
        assert bench.due(plan) == [NEWEST]
        plan.asked(NEWEST, None, before)
        ((_, recheck),) = plan.due(before + timedelta(days=2))
        pauses.append((recheck.next_at - before) / timedelta(hours=1))
    assert pauses == [2, 4, 8, 16, 24, 24, 24, 24]


def test_only_hours_of_the_window_from_the_start_on_and_not_missing_are_followed(bench: Bench) -> None:
    def followed(plan: RecheckPlan) -> list[int]:
        return [hour - NEWEST for hour, _ in plan.due(bench.clock.now() + AFTER)]

    assert followed(bench.followed(hours=4)) == [-2, -1, 0]
    assert followed(bench.followed({NEWEST + -1}, hours=4)) == [-2, 0]
    assert followed(bench.followed(hours=3, start=NEWEST)) == [0]
    assert followed(bench.followed(hours=0)) == []


def test_the_oldest_question_comes_first(bench: Bench) -> None:
    plan = bench.followed(hours=5)
    bench.clock.advance(3600)
    assert bench.due(plan) == sorted(bench.due(plan))
    assert len(bench.due(plan)) == 4


def test_what_was_asked_is_remembered_by_the_next_process(bench: Bench) -> None:
    bench.followed().save()
    bench.clock.advance(3600)
    plan = bench.followed()
    plan.asked(NEWEST, SOURCE, bench.clock.now())
    plan.save()
    bench.clock.advance(3600 * 2)
    ((_, recheck),) = [item for item in bench.followed().due(bench.clock.now()) if item[0] == NEWEST]
    assert (recheck.checks, recheck.etag, recheck.last_modified) == (1, '"new"', "Fri")


def test_a_question_without_news_keeps_what_was_known(bench: Bench) -> None:
    plan = bench.followed()
    plan.loaded(NEWEST, SOURCE, bench.clock.now())
    bench.clock.advance(3600)
    plan.asked(NEWEST, None, bench.clock.now())
    bench.clock.advance(3600 * 2)
    assert dict(plan.due(bench.clock.now()))[NEWEST].etag == '"new"'


def test_an_hour_just_loaded_starts_anew_with_what_the_source_had(bench: Bench) -> None:
    plan = bench.followed()
    plan.asked(NEWEST, None, bench.clock.now())
    plan.loaded(NEWEST, SOURCE, bench.clock.now())
    bench.clock.advance(3600)
    recheck = dict(plan.due(bench.clock.now()))[NEWEST]
    assert (recheck.checks, recheck.etag) == (0, '"new"')
    plan.loaded(NEWEST + -1000, SOURCE, bench.clock.now())
    assert NEWEST + -1000 not in bench.due(plan)


def test_nothing_is_written_where_nothing_changed(bench: Bench) -> None:
    bench.followed().save()
    writes = bench.store.requests["create"] + bench.store.requests["replace"]
    bench.followed().save()
    assert bench.store.requests["create"] + bench.store.requests["replace"] == writes == 1


def test_a_window_of_zero_asks_nothing_reads_nothing_and_writes_nothing(bench: Bench) -> None:
    plan = bench.followed(hours=0)
    plan.save()
    assert bench.due(plan) == []
    assert dict(bench.store.requests) == {}


def test_of_two_processes_the_first_to_save_is_kept(bench: Bench) -> None:
    first, second = bench.followed(), bench.followed(hours=3)
    first.save()
    second.save()
    stored = bench.stored()
    assert stored is not None
    assert len(stored.hours) == 47
    third = bench.followed(hours=3)
    bench.store.before = lambda verb, key: _swap(bench) if verb == "replace" else None
    third.save()
    stored = bench.stored()
    assert stored is not None
    assert stored.hours == {}


def _swap(bench: Bench) -> None:
    bench.store.before = no_fault
    bench.store.put(keys.RECHECKS, Rechecks().encode())


def test_a_plan_of_a_newer_version_is_refused(bench: Bench) -> None:
    bench.store.put(keys.RECHECKS, b'{"schema_version": 2}')
    with pytest.raises(UnknownSchemaVersion):
        bench.plan()
