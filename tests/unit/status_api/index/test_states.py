from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests import samples

from status_api.index.states import Delays, Known, state_of, warnings_of

HOUR = samples.hour()
DELAYS = Delays(sla=timedelta(hours=6), absent_after=timedelta(days=14))
SOON, LATER, MUCH_LATER = timedelta(hours=1), timedelta(hours=7), timedelta(days=15)


@pytest.mark.parametrize(
    ("known", "after", "state"),
    [
        ({}, SOON, "waiting"),
        ({"unpublished": True}, SOON, "waiting"),
        ({"unpublished": True}, LATER, "late"),
        ({"unpublished": True}, MUCH_LATER, "absent"),
        ({}, LATER, "missing"),
        ({}, MUCH_LATER, "missing"),
        ({"failed": True}, SOON, "failed"),
        ({"ingested": 1}, LATER, "ingested"),
        ({"ingested": 1, "failed": True}, LATER, "failed"),
        ({"ingested": 1, "transformed": 1}, LATER, "complete"),
        ({"ingested": 2, "transformed": 1}, LATER, "ingested"),
        ({"ingested": 2, "transformed": 1, "running": True}, LATER, "running"),
        ({"ingested": 1, "transformed": 1, "expired": True}, LATER, "expired"),
        ({"expired": True}, LATER, "missing"),
    ],
)
def test_an_hours_state(known: dict[str, Any], after: timedelta, state: str) -> None:
    assert state_of(Known(HOUR, **known), HOUR.ended_at + after, DELAYS) == state


QUIET = {
    "rejected": 0, "control_state": "matched", "test_warnings": False, "ingested": 1, "transformed": 1, "views": 100,
    "week_before": 90,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "warnings"),
    [
        ({}, []),
        ({"rejected": 1}, ["rejected_lines"]),
        ({"control_state": "differs"}, ["control_differs"]),
        ({"control_state": "unavailable"}, []),
        ({"ingested": 2}, ["restatement_pending"]),
        ({"ingested": 2, "transformed": 0}, []),
        ({"test_warnings": True}, ["test_warned"]),
        ({"views": 44}, ["views_unusual"]),
        ({"views": 181}, ["views_unusual"]),
        ({"views": 181, "week_before": None}, []),
        ({"views": None}, []),
    ],
)
def test_what_is_to_be_said_of_an_hour(changed: dict[str, Any], warnings: list[str]) -> None:
    assert warnings_of(**{**QUIET, **changed}) == warnings
