"""`series/<shard>`: the hours and days of each article that is followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pageviews_core.records.published import ArticleSeries, Series, series_name
from transformer.published.followed import FollowedArticle
from transformer.published.thresholds import Thresholds
from transformer.published.window import Window


def series_of(window: Window, thresholds: Thresholds, followed: Iterable[FollowedArticle]) -> Mapping[str, Series]:
    """By the object's name; none for a shard without an article."""
    shards: defaultdict[str, list[ArticleSeries]] = defaultdict(list)
    for item in sorted(followed, key=lambda item: item.article):
        shards[series_name(*item.article)].append(
            ArticleSeries(
                project=item.article.project,
                title=item.article.title,
                hour_floor=1 if item.exact_hours else thresholds.hour_floor,
                hours=item.hours,
                days=item.days,
            )
        )
    return {
        name: Series(
            first_hour=window.hours[0],
            first_day=window.days[0],
            day_hours_present=tuple(window.days_built.get(day, 0) for day in window.days),
            day_floor=thresholds.day_floor,
            articles=tuple(articles),
        )
        for name, articles in shards.items()
    }
