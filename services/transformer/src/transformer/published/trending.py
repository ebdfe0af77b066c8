"""`trending`: the articles that rose far over their own baseline, by the hourly and by the daily rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pageviews_core.hour import Hour, hour_range
from pageviews_core.records.published import Counts, Elsewhere, Trending, TrendingPage, TrendingPeriod, TrendingRule
from transformer.published.left_out import left_out_of, together
from transformer.published.marts import Marts, hour_of
from transformer.published.thresholds import Thresholds
from transformer.published.window import Window, start_of

_ELSEWHERE_AT_MOST = 5

_PAGES = """
select
    page_key, project, page_title, view_count, baseline_view_count, {baseline_count}, ratio, count(*) over () as found
from {{schema}}.{table}
where {column} = :{period}
order by view_count - baseline_view_count desc, project, page_title
limit 100
"""

PAGES_OF_HOUR = _PAGES.format(
    table="trending_pages_hourly", column="hour_started_at", period="newest", baseline_count="baseline_hour_count"
)
PAGES_OF_DAY = _PAGES.format(
    table="trending_pages_daily", column="date_day", period="day", baseline_count="baseline_day_count"
)
"""page_key, project, page_title and more, by the names of a Window."""

_EARLIER = """
select page_key, {column}
from {{schema}}.{table}
where {column} between :{first} and :{period} and page_key in (select page_key from ({pages}) as pages)
"""

_ELSEWHERE = """
select pages.page_key, others.project, others.view_count
from {{schema}}.{table} as others
inner join ({pages}) as pages on others.page_title = pages.page_title and others.page_key <> pages.page_key
where others.{column} = :{period} and others.is_article
order by others.view_count desc, others.project
"""


@dataclass(frozen=True)
class _Questions:
    pages: str
    earlier: str
    elsewhere: str


def _questions(pages: str, trending: str, views: str, column: str, period: str, first: str) -> _Questions:
    return _Questions(
        pages=pages,
        earlier=_EARLIER.format(table=trending, column=column, period=period, first=first, pages=pages),
        elsewhere=_ELSEWHERE.format(table=views, column=column, period=period, pages=pages),
    )


_OF_HOUR = _questions(
    PAGES_OF_HOUR, "trending_pages_hourly", "page_views_hourly", "hour_started_at", "newest", "first_hour"
)
_OF_DAY = _questions(PAGES_OF_DAY, "trending_pages_daily", "page_views_daily", "date_day", "day", "first_day")


def read_trending(marts: Marts, window: Window | None, thresholds: Thresholds, hours: Mapping[int, Counts]) -> Trending:
    """`hours`: the 168 hours of each trending page, by page key."""
    if window is None:
        return Trending(floor=thresholds.hour_floor)
    return Trending(
        newest_hour=window.newest,
        floor=thresholds.hour_floor,
        hourly=_hourly(marts, window, thresholds.hourly, hours),
        daily=_daily(marts, window, thresholds.daily, hours),
    )


def _hourly(marts: Marts, window: Window, rule: TrendingRule, hours: Mapping[int, Counts]) -> TrendingPeriod:
    newest = window.newest
    baseline = hour_range(newest + -rule.baseline_periods, newest)
    built = [hour for hour in reversed(window.hours) if window.built(hour)]
    rows = marts.rows(_OF_HOUR.pages, **window.names)
    return TrendingPeriod(
        starts=newest,
        hours_expected=1,
        hours_present=1,
        rule=rule,
        baseline_periods_present=sum(hour in window.hours_built for hour in baseline),
        excluded=together(left_out_of(marts, newest, newest)),
        found=rows[0][-1] if rows else 0,
        pages=_pages(marts, window, _OF_HOUR, rows, built, hour_of, hours),
    )


def _daily(marts: Marts, window: Window, rule: TrendingRule, hours: Mapping[int, Counts]) -> TrendingPeriod | None:
    if (day := window.newest_day) is None:
        return None
    start = start_of(day)
    baseline = [day - timedelta(days=back) for back in range(1, rule.baseline_periods + 1)]
    built = [start_of(earlier) for earlier in reversed(window.days) if earlier <= day and earlier in window.days_built]
    rows = marts.rows(_OF_DAY.pages, **window.names)
    return TrendingPeriod(
        starts=start,
        hours_expected=24,
        hours_present=window.days_built[day],
        rule=rule,
        # The rule takes whole days alone.
        baseline_periods_present=sum(window.days_built.get(earlier) == 24 for earlier in baseline),
        excluded=together(left_out_of(marts, start, start + 23)),
        found=rows[0][-1] if rows else 0,
        pages=_pages(marts, window, _OF_DAY, rows, built, start_of, hours),
    )


def _pages(
    marts: Marts,
    window: Window,
    questions: _Questions,
    rows: Sequence[tuple[Any, ...]],
    built: Sequence[Hour],
    period_of: Callable[[Any], Hour],
    hours: Mapping[int, Counts],
) -> tuple[TrendingPage, ...]:
    """`built`: the starts of the periods that are there, newest first."""
    trending: defaultdict[int, set[Hour]] = defaultdict(set)
    for key, period in marts.rows(questions.earlier, **window.names):
        trending[key].add(period_of(period))
    elsewhere: defaultdict[int, list[Elsewhere]] = defaultdict(list)
    for key, project, views in marts.rows(questions.elsewhere, **window.names):
        if len(elsewhere[key]) < _ELSEWHERE_AT_MOST:
            elsewhere[key].append(Elsewhere(project=project, views=views))
    return tuple(
        TrendingPage(
            project=project,
            title=title,
            views=views,
            baseline=baseline,
            baseline_periods=baseline_periods,
            ratio=round(ratio, 2),
            since=_since(trending[key], built),
            elsewhere=tuple(elsewhere[key]),
            hours=hours[key],
        )
        for key, project, title, views, baseline, baseline_periods, ratio, _ in rows
    )


def _since(trending: set[Hour], built: Sequence[Hour]) -> Hour:
    """Back from the newest period, which is in both; a missing one neither ends the run nor lengthens it."""
    since = built[0]
    for period in built:
        if period not in trending:
            break
        since = period
    return since
