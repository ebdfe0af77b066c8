from __future__ import annotations

import pytest
from tests.unit.status_api.filled import NEWEST, OPERATOR, Filled, error, run_id

from pageviews_core.errors import StoreUnavailable
from pageviews_core.hour import hour_range
from status_api.queries.schedules import set_suspended
from status_api.queries.status import duration, read_status


def test_all_is_well(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST + 1))
    status = read_status(filled.view)
    assert (status.health, status.problems, status.lag_seconds) == ("ok", (), 20 * 60)
    assert status.sentence == "Data complete to 10:00 UTC, 20 min behind (normal); nothing needs you."


def test_failed_hours_are_one_problem_with_its_remedy(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST + -4))
    filled.fail(NEWEST + -1)
    filled.fail(NEWEST + -2)
    status = read_status(filled.view)
    (problem,) = status.problems
    assert (problem.cause, problem.title) == ("failed:SourceCorrupt", "2 hours failed: SourceCorrupt")
    assert problem.hours == (NEWEST + -1, NEWEST + -2)
    assert "evidence" in problem.remedy
    assert (status.health, status.need_attention, status.failing_since) == ("failing", 2, problem.since)
    assert "5 h 20 min behind (later than usual); 2 of 8 hours need you" in status.sentence


def test_a_late_hour_degrades_and_a_missing_one_fails() -> None:
    for kind, health in (("unpublished", "degraded"), (None, "failing")):
        filled = Filled(hours=12)
        filled.complete(*hour_range(filled.first + 1, NEWEST + 1))
        if kind:
            filled.fail(filled.first, kind=kind)
        assert read_status(filled.view).health == health
        filled.close()


def test_schedules_that_are_off_or_do_not_tick(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST + 1))
    set_suspended(filled.view, "ingestor", True, OPERATOR)
    filled.clock.advance(1800)
    status = read_status(filled.view)
    causes = {problem.cause: problem.severity for problem in status.problems}
    assert causes == {"schedule_suspended:ingestor": "warning", "tick_missed:transformer": "error"}
    assert status.sentence.endswith("; no hour needs you, but 2 other things do.")


def test_the_sentence_counts_hours_and_what_is_no_hours(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST))
    set_suspended(filled.view, "ingestor", True, OPERATOR)
    assert read_status(filled.view).sentence.endswith("; no hour needs you, but 1 other thing does.")
    filled.fail(NEWEST)
    assert "of 8 hours and 1 other thing need you" in read_status(filled.view).sentence


def test_a_lost_run_and_an_unreadable_object(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST + 1))
    filled.run(1, state="running", finished_at=None)
    filled.store.put("control/start.json", b"{")
    filled.journal.announce("control/start.json")
    filled.clock.advance(600)
    causes = {problem.cause for problem in read_status(filled.view).problems}
    assert {"run_lost", "unreadable_object"} <= causes


def test_a_store_that_is_down_makes_health_unknown(filled: Filled) -> None:
    filled.complete(NEWEST)
    _ = filled.view

    def down(verb: str, key: str) -> None:
        raise StoreUnavailable("no route")

    filled.store.before = down
    status = read_status(filled.view)
    assert (status.health, status.store_up, status.problems[0].cause) == ("unknown", False, "store_down")
    assert status.newest_complete_hour == NEWEST
    assert "cannot be read" in status.sentence


def test_nothing_has_run_yet() -> None:
    filled = Filled()
    filled.store.delete("control/start.json")
    status = read_status(filled.view)
    assert (status.health, status.sentence) == ("unknown", "Nothing has run yet.")
    filled.close()


def test_running_runs_are_told_by_job(filled: Filled) -> None:
    filled.run(1, state="running", finished_at=None)
    filled.run(2, state="failed", error=error())
    ingestor, transformer = read_status(filled.view).jobs
    assert (ingestor.running, transformer.running) == ((run_id(1),), ())


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (60, "1 min"), (4320, "1 h 12 min"), (273_600, "3 d 4 h"), (0, "0 s")]
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text
