"""The articles that are followed, with their hours and days: those in `top`, in `trending`, and in PAGEVIEWS_WATCH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from pageviews_core.page_key import page_key
from pageviews_core.records.published import Counts
from transformer.published import top, trending
from transformer.published.marts import Marts, Value, stored
from transformer.published.window import Window, start_of
from transformer.watched import Article

_RANKED = f"""
select page_key, project, page_title from ({top.PAGES_OF_HOUR}) as top_of_hour
union
select page_key, project, page_title from ({top.PAGES_OF_DAY}) as top_of_day
union
select page_key, project, page_title from ({trending.PAGES_OF_HOUR}) as trending_in_hour
union
select page_key, project, page_title from ({trending.PAGES_OF_DAY}) as trending_on_day
"""

_HOURS = """
select page_key, hour_started_at, view_count
from {{schema}}.page_views_hourly
where hour_started_at between :first_hour and :newest and page_key in ({keys})
"""

_DAYS = """
select page_key, date_day, view_count
from {{schema}}.page_views_daily
where date_day between :first_day and :last_day and page_key in ({keys})
"""

# Sorted by page within the hour: of each hour only the blocks with one of the keys are read.
_FACTS = """
select page_key, hour_started_at, cast(sum(view_count) as bigint)
from {{schema}}.fct_wikipedia_pageviews
where hour_started_at between :first_hour and :newest and page_key in ({keys})
group by page_key, hour_started_at
"""

_Period = TypeVar("_Period", datetime, date)
_Series = list[int | None]


@dataclass(frozen=True)
class FollowedArticle:
    """`hours` and `days` of the window; zero stands for fewer views than the floor, in `exact_hours` for zero."""

    article: Article
    exact_hours: bool
    hours: Counts
    days: Counts


def read_followed(marts: Marts, window: Window, watched: Sequence[Article]) -> Mapping[int, FollowedArticle]:
    """By page key."""
    watched_by_key = {page_key(*article): article for article in watched}
    ranked = {key: Article(project, title) for key, project, title in marts.rows(_RANKED, **window.names)}
    articles = ranked | watched_by_key
    every_key, names = _keys(watched_by_key, f"select page_key from ({_RANKED}) as ranked")

    built = {stored(hour): hour in window.hours_built for hour in window.hours}
    hours = _empty(articles, built)
    _fill(hours, built, marts.rows(_HOURS.format(keys=every_key), **window.names, **names))
    if below_floor := [key for key in watched_by_key if 0 in hours[key]]:
        keys, names_below = _keys(below_floor)
        _fill(hours, built, marts.rows(_FACTS.format(keys=keys), **window.names, **names_below))

    days_built = {day: day in window.days_built for day in window.days}
    days = _empty(articles, days_built)
    _fill(days, days_built, marts.rows(_DAYS.format(keys=every_key), **window.names, **names))
    for key in watched_by_key:
        _sum_hours(days[key], hours[key], window)
    return {
        key: FollowedArticle(article, key in watched_by_key, tuple(hours[key]), tuple(days[key]))
        for key, article in articles.items()
    }


def _keys(given: Sequence[int] | Mapping[int, Article], *others: str) -> tuple[str, dict[str, Value]]:
    """A query for the keys and those of `others`, and the values that it names."""
    names: dict[str, Value] = {f"key_{place}": key for place, key in enumerate(given)}
    # The column's own type, or else every row of the table would be cast to a wider one: a hundred times as long.
    literals = [f"select cast(:{name} as {{page_key_type}}) as page_key" for name in names]
    return " union all ".join([*others, *literals]), names


def _empty(keys: Mapping[int, Article], built: Mapping[_Period, bool]) -> dict[int, _Series]:
    nothing: _Series = [0 if there else None for there in built.values()]
    return {key: list(nothing) for key in keys}


def _fill(series: dict[int, _Series], built: Mapping[_Period, bool], rows: Sequence[tuple[int, _Period, int]]) -> None:
    """What an hour or day that stopped halfway left behind is passed over."""
    places = {period: place for place, period in enumerate(built) if built[period]}
    for key, period, views in rows:
        if period in places:
            series[key][places[period]] = views


def _sum_hours(days: _Series, hours: _Series, window: Window) -> None:
    """A day below the floor, from the exact hours, where they go back so far."""
    first = window.hours[0]
    for place, day in enumerate(window.days):
        offset = start_of(day) - first
        if days[place] == 0 and offset >= 0:
            days[place] = sum(views or 0 for views in hours[offset : offset + 24])
