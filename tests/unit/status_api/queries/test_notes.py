from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.status_api.filled import NEWEST, NOW, OPERATOR, Filled

from pageviews_core.hour import hour_range
from status_api.queries.answers import NotFound
from status_api.queries.hours import read_hour
from status_api.queries.notes import NoteRefused, add_note, delete_note, list_audit, list_notes
from status_api.queries.status import read_status

TOMORROW = NOW + timedelta(days=1)


def test_an_acknowledged_hour_keeps_its_state_and_leaves_the_problems(filled: Filled) -> None:
    filled.complete(*hour_range(filled.first, NEWEST))
    filled.fail(NEWEST)
    assert read_status(filled.view).need_attention == 1
    (note,) = add_note(filled.view, (NEWEST,), "the source knows", TOMORROW, OPERATOR)
    status = read_status(filled.view)
    assert (status.need_attention, status.hours["failed"]) == (0, 1)
    assert read_hour(filled.view, NEWEST).summary.acknowledged_until == TOMORROW
    delete_note(filled.view, note.id, OPERATOR)
    assert read_status(filled.view).need_attention == 1
    assert {entry.action for entry in list_audit(filled.view).items} == {"note.delete", "note.create"}


@pytest.mark.parametrize(
    ("hours", "reason", "until"),
    [
        ((NEWEST,), "x", NOW),
        ((NEWEST,), "x", NOW + timedelta(days=91)),
        ((NEWEST,), " ", TOMORROW),
        ((), "x", TOMORROW),
    ],
)
def test_a_note_without_an_end_a_reason_or_an_hour_is_refused(
    filled: Filled, hours: tuple[object, ...], reason: str, until: object
) -> None:
    with pytest.raises(NoteRefused):
        add_note(filled.view, hours, reason, until, OPERATOR)  # type: ignore[arg-type]
    assert list_notes(filled.view).items == ()


def test_a_note_on_an_unknown_hour_or_an_unknown_note_is_not_found(filled: Filled) -> None:
    with pytest.raises(NotFound):
        add_note(filled.view, (NEWEST + 1,), "x", TOMORROW, OPERATOR)
    with pytest.raises(NotFound):
        delete_note(filled.view, "x", OPERATOR)
