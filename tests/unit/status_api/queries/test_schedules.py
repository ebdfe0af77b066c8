from __future__ import annotations

from datetime import timedelta

from tests.unit.status_api.filled import NOW, OPERATOR, Filled

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectChanged
from pageviews_core.records.control import Schedules
from status_api.queries.notes import list_audit
from status_api.queries.schedules import read_schedules, set_suspended


def test_the_next_ticks_follow_the_cron_expression(filled: Filled) -> None:
    ingestor, transformer = read_schedules(filled.view)
    assert [f"{at:%H:%M}" for at in ingestor.next_ticks] == ["10:25", "10:35", "10:45", "10:55", "11:15"]
    assert [f"{at:%H:%M}" for at in transformer.next_ticks][:2] == ["10:25", "10:30"]
    assert (ingestor.last_tick_at, ingestor.missed) == (NOW - timedelta(minutes=1), False)


def test_a_tick_is_missed_when_two_are_overdue_by_five_minutes(filled: Filled) -> None:
    view = filled.view
    filled.clock.advance(15 * 60)  # the transformer ticked at 10:19: 10:20 and 10:25 have passed at 10:35
    ingestor, transformer = read_schedules(view)
    assert (ingestor.missed, transformer.missed) == (False, True)
    assert transformer.missed_since is not None
    assert f"{transformer.missed_since:%H:%M}" == "10:30"


def test_suspending_is_audited_and_misses_nothing(filled: Filled) -> None:
    assert set_suspended(filled.view, "transformer", True, OPERATOR).suspended
    assert set_suspended(filled.view, "transformer", True, OPERATOR).suspended
    filled.clock.advance(3600)
    _, transformer = read_schedules(filled.view)
    assert (transformer.suspended, transformer.missed, transformer.next_ticks) == (True, False, ())
    found = filled.journal.read(keys.SCHEDULES, Schedules)
    assert found is not None
    assert found[0].suspended == ("transformer",)
    entries = list_audit(filled.view).items
    assert {(entry.action, entry.who, entry.target) for entry in entries} == {
        ("schedule.suspend", "olga", "transformer")
    }


def test_of_two_who_switch_at_once_both_are_heard(filled: Filled) -> None:
    view = filled.view
    set_suspended(view, "ingestor", True, OPERATOR)
    once = iter([True])

    def faster(verb: str, key: str) -> None:
        if (verb, key) == ("replace", keys.SCHEDULES) and next(once, False):
            filled.store.put(key, Schedules(suspended=("ingestor", "transformer")).encode())
            raise ObjectChanged(key)

    filled.store.before = faster
    set_suspended(view, "ingestor", False, OPERATOR)
    found = filled.journal.read(keys.SCHEDULES, Schedules)
    assert found is not None
    assert found[0].suspended == ("transformer",)
