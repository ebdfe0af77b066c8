from __future__ import annotations

from datetime import date

from tests.tiny_marts import TinyMarts

from pageviews_core.hour import Hour
from pageviews_core.records.published import AccessTraffic, Traffic
from transformer.published.definition_changes import DEFINITION_CHANGES
from transformer.published.marts import Marts
from transformer.published.traffic import read_traffic
from transformer.published.window import read_window

NEWEST = Hour.parse("2026-11-20T01")
EARTH = ("en.wikipedia", "Earth")
ERDE = ("de.wikipedia", "Erde")


def _ends(parts: tuple[AccessTraffic, ...], count: int = 3) -> dict[str, tuple[int | None, ...]]:
    return {part.access: part.hours[-count:] for part in parts}


def test_an_empty_warehouse_has_no_traffic_but_the_marks(marts: Marts) -> None:
    assert read_traffic(marts, None) == Traffic(definition_changes=DEFINITION_CHANGES)


def test_hours_are_null_where_missing_and_zero_where_a_project_had_no_view(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    tiny.add_hour(NEWEST + -2, {EARTH: 30, ERDE: 5})
    traffic = read_traffic(marts, read_window(marts))
    assert traffic.first_hour == NEWEST + -167
    assert [project.project for project in traffic.projects] == ["en.wikipedia", "de.wikipedia"]
    assert _ends(traffic.total) == {"desktop": (35, None, 50)}
    assert _ends(traffic.projects[0].access) == {"desktop": (30, None, 50)}
    assert _ends(traffic.projects[1].access) == {"desktop": (5, None, 0)}
    assert traffic.other == ()


def test_access_is_kept_apart(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    tiny.add_hour(NEWEST + -1, {EARTH: 30}, access="mobile")
    traffic = read_traffic(marts, read_window(marts))
    assert _ends(traffic.projects[0].access, 2) == {"desktop": (0, 50), "mobile": (30, 0)}


def test_days_are_sums_over_the_hours_that_are_there(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    for hour in ("2026-11-19T03", "2026-11-19T04", "2026-11-17T23"):
        tiny.add_hour(Hour.parse(hour), {EARTH: 30})
    traffic = read_traffic(marts, read_window(marts))
    assert traffic.first_day == date(2026, 10, 16)
    assert traffic.total[0].days[-4:] == (None, 30, None, 60)
    assert traffic.day_hours_present[-4:] == (0, 1, 0, 2)
    assert len(traffic.total[0].days) == len(traffic.day_hours_present) == 35


def test_projects_beyond_the_twenty_largest_are_taken_together(tiny: TinyMarts, marts: Marts) -> None:
    tiny.add_hour(NEWEST, {(f"p{number:02}.wikipedia", "Earth"): 100 - number for number in range(23)})
    traffic = read_traffic(marts, read_window(marts))
    assert [project.project for project in traffic.projects] == [f"p{number:02}.wikipedia" for number in range(20)]
    assert _ends(traffic.other, 1) == {"desktop": (80 + 79 + 78,)}
    assert _ends(traffic.total, 1) == {"desktop": (sum(100 - number for number in range(23)),)}


def test_the_marks_are_in_order() -> None:
    assert [change.earliest.year for change in DEFINITION_CHANGES] == [2019, 2020, 2023, 2025]
    assert all(change.earliest <= change.latest for change in DEFINITION_CHANGES)
