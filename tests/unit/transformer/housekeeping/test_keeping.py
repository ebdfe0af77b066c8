from __future__ import annotations

import re
from datetime import timedelta

import pytest
from tests.memory_object_store import no_fault
from tests.unit.transformer.housekeeping.house import DAY, NEWEST, NOW, House, KeepAll, ulid_at

from pageviews_core import keys
from pageviews_core.errors import Stopped, StoreUnavailable, WarehouseUnavailable
from pageviews_core.hour import Hour
from pageviews_core.records.housekeeping import Housekeeping
from pageviews_core.records.run import RunRecord
from pageviews_core.watermark import Watermark
from transformer.housekeeping import housekeep, is_due
from transformer.housekeeping.claim import TASKS

STRICT = KeepAll(
    raw_table="RAW",
    retain_raw_rows=2 * DAY,
    retain_staging=2 * DAY,
    retain_facts=15 * DAY,
    retain_raw_objects=10 * DAY,
    retain_landing=3 * DAY,
    retain_quarantine=10 * DAY,
    retain_runs=10 * DAY,
)


class Killed(BaseException):
    """A SIGKILL, as far as the store can tell."""


def _retire(table: str, column: str, before: Hour) -> int:
    return 7


def _record(house: House) -> Housekeeping:
    found = house.journal.read(keys.HOUSEKEEPING, Housekeeping)
    assert found is not None
    return found[0]


def _fill(house: House) -> None:
    house.complete(NEWEST + -24 * 20, NEWEST + 1)
    house.ingest(NEWEST + -24 * 6, 2)
    house.attempt(NEWEST + -9, NOW - 2 * DAY)
    house.settle(before=NEWEST)
    for days in (1, 5, 20):
        house.run(NOW - days * DAY)
    house.memory.put(keys.change(ulid_at(NOW - 8 * DAY)), b"{}")


def test_all_tasks_are_done_and_remembered(house: House) -> None:
    _fill(house)
    with house.session() as session:
        report = housekeep(session, STRICT, _retire)
        assert session.run.began
    assert report.error is None
    assert tuple(report.tasks) == TASKS
    assert {task.outcome for task in report.tasks.values()} == {"done"}
    assert report.tasks["audit"].counts == {"hours": 24 * 20 + 1, "hidden_hours": 1}
    assert report.tasks["rows"].counts["rows_of_RAW"] == 7
    record = _record(house)
    assert record.claim is None
    assert record.tasks == report.tasks
    assert record.facts_retired_before == NEWEST + -24 * 15
    assert not is_due(house.journal, house.clock.now())


def test_what_is_already_done_today_is_not_done_again(house: House) -> None:
    with house.session() as session:
        housekeep(session, STRICT, _retire)
    before = house.keys("")
    with house.session() as session:
        report = housekeep(session, STRICT, _retire)
        assert not session.run.began
    assert (report.tasks, report.error) == ({}, None)
    assert house.keys("") == before


def test_the_run_says_which_tasks_it_did(house: House) -> None:
    with house.session() as session:
        housekeep(session, STRICT, _retire)
        run_id = session.run.id
    found = house.journal.read(keys.run_record(run_id), RunRecord)
    assert found is not None
    assert [step.name for step in found[0].steps] == [f"housekeeping_{task}" for task in TASKS]


def test_a_task_that_fails_does_not_stop_the_others_and_the_first_error_is_reported(house: House) -> None:
    _fill(house)

    def busy(table: str, column: str, before: Hour) -> int:
        raise WarehouseUnavailable("held by a notebook")

    def no_runs(verb: str, key: str) -> None:
        if (verb, key) == ("list", "runs/"):
            raise StoreUnavailable("gone")

    house.memory.before = no_runs
    with house.session() as session:
        report = housekeep(session, STRICT, busy)
    assert isinstance(report.error, WarehouseUnavailable)
    assert {name: task.outcome for name, task in report.tasks.items()} == {
        "audit": "done",
        "objects": "done",
        "rows": "failed",
        "runs": "failed",
        "compaction": "failed",
        "pruning": "done",
    }
    assert _record(house).tasks["rows"].error == "WarehouseUnavailable: held by a notebook"
    assert not is_due(house.journal, house.clock.now())


def test_a_bug_in_one_task_is_reported_too(house: House) -> None:
    _fill(house)
    with house.session() as session:
        report = housekeep(session, STRICT, lambda table, column, before: 1 // 0)
    assert isinstance(report.error, ZeroDivisionError)
    assert report.tasks["pruning"].outcome == "done"


def test_the_next_tick_goes_on_where_the_budget_ended(house: House) -> None:
    _fill(house)

    def slow(table: str, column: str, before: Hour) -> int:
        house.clock.advance(30 * 60)
        return 1

    with house.session() as session:
        first = housekeep(session, STRICT, slow)
    assert {name: task.outcome for name, task in first.tasks.items()} == {
        "audit": "done",
        "objects": "done",
        "rows": "unfinished",
    }
    assert is_due(house.journal, house.clock.now())
    with house.session() as session:
        second = housekeep(session, STRICT, _retire)
    assert tuple(second.tasks) == TASKS[2:]
    assert not is_due(house.journal, house.clock.now())


def test_a_stop_frees_the_claim_at_once(house: House) -> None:
    _fill(house)

    def stopped_meanwhile(table: str, column: str, before: Hour) -> int:
        house.stopping.ask()
        return 1

    with house.session() as session, pytest.raises(Stopped):
        housekeep(session, STRICT, stopped_meanwhile)
    assert _record(house).claim is None
    assert is_due(house.journal, house.clock.now())


def test_one_that_was_taken_for_dead_stops(house: House) -> None:
    _fill(house)

    def long_pause(table: str, column: str, before: Hour) -> int:
        house.clock.advance(3 * 3600)
        with house.session() as other:
            housekeep(other, STRICT, _retire)
        return 1

    with house.session(budget=10 * DAY) as session:
        report = housekeep(session, STRICT, long_pause)
    assert "runs" not in report.tasks
    assert _record(house).tasks.keys() == set(TASKS)


def test_a_claim_elsewhere_is_left_alone(house: House) -> None:
    def also_here(table: str, column: str, before: Hour) -> int:
        with house.session() as other:
            assert housekeep(other, STRICT, _retire).tasks == {}
        return 1

    _fill(house)
    with house.session() as session:
        assert housekeep(session, STRICT, also_here).error is None


def test_killed_at_any_write_and_done_again_it_ends_the_same() -> None:
    """A kill after the n-th write to the store, for every n; then another process, two hours later."""
    whole = _small_house()
    writes = _killed_after(whole, None)
    assert writes > 30
    for number in range(1, writes + 1):
        house = _small_house()
        _killed_after(house, number)
        house.clock.advance(timedelta(hours=2).total_seconds())
        with house.session() as session:
            report = housekeep(session, STRICT, _retire)
        assert report.error is None
        assert _state(house) == _state(whole), number
        assert not is_due(house.journal, house.clock.now())


def _small_house() -> House:
    house = House()
    house.complete(NEWEST + -24 * 20, NEWEST + -24 * 20 + 2)
    house.complete(NEWEST, NEWEST + 1)
    house.ingest(NEWEST + -24 * 6, 2)
    house.attempt(NEWEST + -9, NOW - 2 * DAY)
    house.settle(before=NEWEST)
    house.run(NOW - 20 * DAY)
    house.run(NOW - 5 * DAY)
    return house


def _killed_after(house: House, number: int | None) -> int:
    """How many writes there were, those of the run's own record and log not counted."""
    writes = 0

    def dead(verb: str, key: str) -> None:
        if not key.startswith(own):
            raise Killed

    def count(verb: str, key: str) -> None:
        nonlocal writes
        if not key.startswith(own):
            writes += 1
            if writes == number:
                house.memory.before = dead
                raise Killed

    with house.session() as session:
        own = keys.run(session.run.id)
        house.memory.after = count
        try:
            housekeep(session, STRICT, _retire)
            assert number is None
        except Killed:
            pass
        house.memory.before = house.memory.after = no_fault
    return writes


def _state(house: House) -> tuple[list[str], str]:
    """What housekeeping decides on, with the random part of names left out."""
    settled, _ = Watermark(house.journal).read()
    compared = ("raw/", "landing/", "quarantine/", "markers", "runs-by-day/", "runs/2026/10/", "runs/2026/11/15/")
    kept = [re.sub(r"/[0-9A-Z]{26}\b", "/ulid", key) for key in house.keys("") if key.startswith(compared)]
    return kept, str(settled and (settled.start, settled.before))
