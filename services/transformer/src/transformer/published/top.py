"""`top`: the articles with the most views, of the largest projects, by hour and by day."""

from __future__ import annotations

from collections import defaultdict

from pageviews_core.hour import Hour
from pageviews_core.records.published import Top, TopPage, TopPeriod, TopProject
from transformer.published.left_out import left_out_of
from transformer.published.marts import Marts
from transformer.published.window import Window, start_of

# All that is published is to stay under 2 MB, and most of it is the series of these pages, at 1 kB each. So: 50 of each
# of the ten largest projects, and 10 of each of the next thirty.
_LARGEST = """
select project, position, case when position <= 10 then 50 else 10 end as page_count
from (
    select project, row_number() over (order by sum(view_count) desc, project) as position
    from {schema}.traffic_hourly
    where hour_started_at between :day_ago and :newest
    group by project
) as projects
where position <= 40
"""

_PAGES = """
select pages.page_key, pages.project, pages.page_title, pages.page_rank, pages.view_count
from {{schema}}.{table} as pages
inner join ({largest}) as largest on pages.project = largest.project and pages.page_rank <= largest.page_count
where pages.{column} = :{period}
"""

PAGES_OF_HOUR = _PAGES.format(table="top_pages_hourly", column="hour_started_at", period="newest", largest=_LARGEST)
PAGES_OF_DAY = _PAGES.format(table="top_pages_daily", column="date_day", period="day", largest=_LARGEST)
"""page_key, project, page_title, page_rank, view_count, by the names of a Window."""

_WITH_PREVIOUS_RANK = """
select pages.project, pages.page_title, pages.page_rank, pages.view_count, previous.page_rank
from ({pages}) as pages
left join {{schema}}.{table} as previous on pages.page_key = previous.page_key and previous.{column} = :{period}
order by pages.project, pages.page_rank
"""

_OF_HOUR = _WITH_PREVIOUS_RANK.format(
    pages=PAGES_OF_HOUR, table="top_pages_hourly", column="hour_started_at", period="hour_before"
)
_OF_DAY = _WITH_PREVIOUS_RANK.format(
    pages=PAGES_OF_DAY, table="top_pages_daily", column="date_day", period="day_before"
)

_PROJECTS = f"""
select largest.project, cast(coalesce(sum(traffic.view_count), 0) as bigint)
from ({_LARGEST}) as largest
left join {{schema}}.traffic_hourly as traffic
    on largest.project = traffic.project and traffic.hour_started_at between :first and :last
group by largest.project, largest.position
order by largest.position
"""


def read_top(marts: Marts, window: Window | None) -> Top:
    if window is None:
        return Top()
    hour = TopPeriod(
        starts=window.newest,
        hours_expected=1,
        hours_present=1,
        previous=window.built(window.newest + -1),
        projects=_projects(marts, window, _OF_HOUR, window.newest, window.newest),
    )
    if (day := window.newest_day) is None:
        return Top(hour=hour)
    start = start_of(day)
    before = start + -24
    return Top(
        hour=hour,
        day=TopPeriod(
            starts=start,
            hours_expected=24,
            hours_present=window.days_built[day],
            previous=before if before.started_at.date() in window.days_built else None,
            projects=_projects(marts, window, _OF_DAY, start, start + 23),
        ),
    )


def _projects(marts: Marts, window: Window, pages_sql: str, first: Hour, last: Hour) -> tuple[TopProject, ...]:
    pages: defaultdict[str, list[TopPage]] = defaultdict(list)
    for project, title, rank, views, previous_rank in marts.rows(pages_sql, **window.names):
        pages[project].append(TopPage(rank=rank, title=title, views=views, previous_rank=previous_rank))
    left_out = left_out_of(marts, first, last)
    return tuple(
        TopProject(
            project=project, views=views, left_out=left_out.get(project, ()), pages=tuple(pages.get(project, ()))
        )
        for project, views in marts.rows(_PROJECTS, **window.names, first=first, last=last)
    )
