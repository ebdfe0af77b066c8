from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests import samples

from pageviews_core.records.request import MAX_HOURS, Request

HOUR = samples.hour()


def request(**changes: Any) -> Request:
    return Request(**{"id": "r", "kind": "backfill", "who": "ann", "why": "a gap", "created_at": samples.AT, **changes})


def test_each_kind_takes_what_belongs_to_it() -> None:
    assert request(hours=(HOUR,), force=True).hours == (HOUR,)
    assert request(kind="transform", hours=(HOUR,), models=("fct",)).models == ("fct",)
    assert request(kind="cancel", cancels="other").cancels == "other"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "names no hours"),
        ({"kind": "transform"}, "names no hours"),
        ({"kind": "cancel", "hours": (HOUR,), "cancels": "x"}, "takes no hours"),
        ({"kind": "cancel"}, "cancels"),
        ({"hours": (HOUR,), "cancels": "x"}, "cancels"),
        ({"hours": (HOUR,), "models": ("fct",)}, "selects models"),
        ({"kind": "odd", "hours": (HOUR,)}, "backfill"),
        ({"hours": tuple(HOUR + step for step in range(MAX_HOURS + 1))}, "at most 10000"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        request(**changes)
