"""The trouble that the demo has with its hours: one of each kind that a working pipeline heals or shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pageviews_core.hour import Hour
from tests.tools.troubles import Late, Restated, Trouble, TruncatedAtFirst, WithBadLines

_FEWEST_HOURS = 8


@dataclass(frozen=True, slots=True)
class DemoTrouble:
    """Which hour has which trouble; `by_hour` is what the server takes."""

    late: Hour
    truncated: Hour
    restated: Hour
    with_bad_lines: Hour
    by_hour: dict[Hour, Trouble]


def demo_trouble(hours: Iterable[Hour]) -> DemoTrouble:
    """One hour late (404 to the first two requests), one truncated at its first GET, one with bad lines, and one
    restated once its first version has been fetched; never the newest hour. Raises ValueError for fewer than 8 hours.
    """
    ordered = sorted(hours)
    if len(ordered) < _FEWEST_HOURS:
        raise ValueError(f"the demo's trouble needs at least {_FEWEST_HOURS} hours, not {len(ordered)}")
    # The restated and the late one are recent: a pipeline looks again at recent hours only.
    truncated, with_bad_lines = ordered[len(ordered) // 4], ordered[len(ordered) // 2]
    restated, late = ordered[-5], ordered[-3]
    return DemoTrouble(
        late,
        truncated,
        restated,
        with_bad_lines,
        by_hour={
            late: Late(asks=2),
            truncated: TruncatedAtFirst(gets=1),
            restated: Restated(after_gets=1),
            with_bad_lines: WithBadLines(),
        },
    )
