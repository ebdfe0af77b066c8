from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.transformer.housekeeping.house import NEWEST, House

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable, UnknownSchemaVersion
from pageviews_core.records.housekeeping import Housekeeping, TaskReport
from transformer.housekeeping.claim import TASKS, ClaimedHouse, ClaimLost, TaskName, is_due


def _claim(house: House, run_id: str = "me") -> ClaimedHouse:
    claimed = ClaimedHouse.claim(house.journal, house.clock, run_id)
    assert claimed is not None
    return claimed


def _ended(house: House, outcome: str = "done") -> TaskReport:
    return TaskReport.model_validate({"ended_at": house.clock.now(), "seconds": 1.0, "outcome": outcome, "counts": {}})


def _keep_house(house: House, **outcomes: str) -> None:
    claimed = _claim(house)
    for task in TASKS:
        claimed.note(task, _ended(house, outcomes.get(task, "done")))
    claimed.release()


def _due(house: House) -> bool:
    return is_due(house.journal, house.clock.now())


def test_the_question_costs_one_request(house: House) -> None:
    assert _due(house)
    assert house.memory.requests.total() == 1


def test_it_is_due_once_a_utc_day(house: House) -> None:
    house.clock.step((datetime(2026, 11, 20, 23, 59, tzinfo=UTC) - house.clock.now()).total_seconds())
    _keep_house(house)
    assert not _due(house)
    house.clock.advance(60)
    assert _due(house)


def test_a_clock_that_was_wrong_once_does_not_put_it_off_for_ever(house: House) -> None:
    house.clock.step(10 * 365 * 86400)
    _keep_house(house)
    house.clock.step(-10 * 365 * 86400)
    assert _due(house)


@pytest.mark.parametrize(("outcome", "due"), [("failed", False), ("unfinished", True)])
def test_a_task_that_failed_had_its_turn_and_one_that_is_unfinished_has_not(
    house: House, outcome: str, due: bool
) -> None:
    _keep_house(house, rows=outcome)
    assert _due(house) is due
    if due:
        assert _claim(house).tasks_left == ("rows",)


def test_only_one_process_gets_the_claim(house: House) -> None:
    _claim(house, "one")
    assert not _due(house)
    assert ClaimedHouse.claim(house.journal, house.clock, "two") is None


def test_of_two_that_read_the_same_record_one_is_refused(house: House) -> None:
    def other_is_faster(verb: str, key: str) -> None:
        if key == keys.HOUSEKEEPING and verb == "create":
            house.memory.before = lambda verb, key: None
            _claim(house, "other")

    house.memory.before = other_is_faster
    assert ClaimedHouse.claim(house.journal, house.clock, "me") is None


def test_a_claim_of_a_dead_process_is_taken_over_after_two_hours_and_its_tasks_go_on(house: House) -> None:
    dead = _claim(house, "dead")
    dead.note("audit", _ended(house))
    house.clock.advance(2 * 3600 - 1)
    assert not _due(house)
    house.clock.advance(1)
    assert _due(house)
    assert _claim(house, "heir").tasks_left == TASKS[1:]
    with pytest.raises(ClaimLost):
        dead.note("objects", _ended(house))
    dead.release()
    assert not _due(house)


def test_each_task_that_ends_renews_the_claim(house: House) -> None:
    claimed = _claim(house)
    house.clock.advance(3600)
    claimed.note("audit", _ended(house))
    house.clock.advance(3600)
    assert not _due(house)


def test_what_a_killed_process_left_undone_is_due_as_soon_as_its_claim_is_free(house: House) -> None:
    claimed = _claim(house)
    claimed.note("audit", _ended(house))
    claimed.release()
    assert _due(house)


def test_release_raises_nothing_that_the_store_does(house: House) -> None:
    claimed = _claim(house)

    def gone(verb: str, key: str) -> None:
        raise StoreUnavailable("gone")

    house.memory.before = gone
    claimed.release()


def test_the_hour_before_which_facts_are_expired_is_remembered(house: House) -> None:
    claimed = _claim(house)
    claimed.note("rows", _ended(house), facts_retired_before=NEWEST)
    claimed.note("runs", _ended(house))
    claimed.release()
    found = house.journal.read(keys.HOUSEKEEPING, Housekeeping)
    assert found is not None
    assert found[0].facts_retired_before == NEWEST


def test_a_record_of_a_newer_version_is_refused(house: House) -> None:
    house.memory.put(keys.HOUSEKEEPING, b'{"schema_version": 99}')
    with pytest.raises(UnknownSchemaVersion):
        _due(house)


def test_names_of_tasks_that_this_version_does_not_know_are_kept(house: House) -> None:
    report = _ended(house)
    house.write(keys.HOUSEKEEPING, Housekeeping(tasks={"of_another_version": report}))
    _keep_house(house)
    found = house.journal.read(keys.HOUSEKEEPING, Housekeeping)
    assert found is not None
    assert found[0].tasks.keys() == {"of_another_version", *TASKS}
    task: TaskName = TASKS[0]
    assert found[0].tasks[task].ended_at - report.ended_at == timedelta(0)
