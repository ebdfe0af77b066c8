"""`traffic`: views by project and access, by hour and by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pageviews_core.records.published import AccessTraffic, Counts, ProjectTraffic, Traffic
from transformer.published.definition_changes import DEFINITION_CHANGES
from transformer.published.marts import Marts, stored
from transformer.published.window import Window, start_of

_LARGEST = """
select project, row_number() over (order by sum(view_count) desc, project) as position
from {schema}.traffic_hourly
where hour_started_at between :first_hour and :newest
group by project
"""

_VIEWS = """
select
    case when largest.position <= 20 then largest.position end as position,
    case when largest.position <= 20 then largest.project end as project,
    traffic.access,
    {period} as period,
    cast(sum(traffic.view_count) as bigint)
from {{schema}}.traffic_hourly as traffic
left join ({largest}) as largest on traffic.project = largest.project
where traffic.hour_started_at between :{first} and :{last}
group by 1, 2, 3, 4
order by 1, 2, 3
"""

_BY_HOUR = _VIEWS.format(period="traffic.hour_started_at", largest=_LARGEST, first="first_hour", last="newest")
_BY_DAY = _VIEWS.format(
    period="cast(traffic.hour_started_at as date)", largest=_LARGEST, first="days_start", last="days_end"
)

_HOURS_OF_DAYS = """
select cast(hour_started_at as date), count(distinct hour_started_at)
from {schema}.traffic_hourly
where hour_started_at between :days_start and :days_end
group by 1
"""

_Place = int | None
"""Of a project among the largest; None for all the others together."""
_Views = Mapping[str, Mapping[Any, int]]
"""By access and period."""


def read_traffic(marts: Marts, window: Window | None) -> Traffic:
    if window is None:
        return Traffic(definition_changes=DEFINITION_CHANGES)
    names = window.names | {"days_start": start_of(window.days[0]), "days_end": start_of(window.last_day) + 23}
    hours_of_day = dict(marts.rows(_HOURS_OF_DAYS, **names))
    hours_built = {stored(hour): hour in window.hours_built for hour in window.hours}
    days_built = {day: day in hours_of_day for day in window.days}
    by_hour, projects = _by_project(marts.rows(_BY_HOUR, **names))
    by_day, _ = _by_project(marts.rows(_BY_DAY, **names))

    def series(places: Iterable[_Place]) -> tuple[AccessTraffic, ...]:
        wanted = list(places)
        hours = _together(by_hour.get(place, {}) for place in wanted)
        days = _together(by_day.get(place, {}) for place in wanted)
        return tuple(
            AccessTraffic(
                access=access,
                hours=_counts(hours.get(access, {}), hours_built),
                days=_counts(days.get(access, {}), days_built),
            )
            for access in sorted({*hours, *days})
        )

    return Traffic(
        first_hour=window.hours[0],
        first_day=window.days[0],
        day_hours_present=tuple(hours_of_day.get(day, 0) for day in window.days),
        total=series({*by_hour, *by_day}),
        projects=tuple(ProjectTraffic(project=projects[place], access=series([place])) for place in sorted(projects)),
        other=series([None]),
        definition_changes=DEFINITION_CHANGES,
    )


def _by_project(rows: Sequence[tuple[Any, ...]]) -> tuple[dict[_Place, _Views], dict[int, str]]:
    """The views by place, and the names of the largest projects."""
    views: dict[_Place, dict[str, dict[Any, int]]] = {}
    projects: dict[int, str] = {}
    for place, project, access, period, count in rows:
        views.setdefault(place, {}).setdefault(access, {})[period] = count
        if place is not None:
            projects[place] = project
    return dict(views.items()), projects


def _together(parts: Iterable[_Views]) -> _Views:
    total: defaultdict[str, Counter[Any]] = defaultdict(Counter)
    for part in parts:
        for access, views in part.items():
            total[access].update(views)
    return total


def _counts(views: Mapping[Any, int], built: Mapping[Any, bool]) -> Counts:
    return tuple(views.get(period, 0) if there else None for period, there in built.items())
