from __future__ import annotations

from datetime import date
from pathlib import Path

from pageviews_core.hour import Hour
from pageviews_core.records.published import series_name
from transformer.published.followed import FollowedArticle
from transformer.published.series import series_of
from transformer.published.thresholds import read_thresholds
from transformer.published.window import Window
from transformer.settings import TransformerSettings
from transformer.watched import Article

NEWEST = Hour.parse("2026-11-20T09")
WINDOW = Window(NEWEST, frozenset([NEWEST]), {date(2026, 11, 19): 24, date(2026, 11, 18): 3})
THRESHOLDS = read_thresholds(TransformerSettings(local_data_dir=Path()).dbt_project_folder())


def _article(title: str, *, exact: bool = False) -> FollowedArticle:
    return FollowedArticle(Article("en.wikipedia", title), exact, (None, 0, 7), (None, 300))


def test_each_article_is_in_the_shard_of_its_name_in_order() -> None:
    followed = [_article(f"Page_{number}") for number in range(500)]
    shards = series_of(WINDOW, THRESHOLDS, reversed(followed))
    found = {(name, article.title) for name, shard in shards.items() for article in shard.articles}
    assert found == {(series_name(*item.article), item.article.title) for item in followed}
    for shard in shards.values():
        titles = [article.title for article in shard.articles]
        assert titles == sorted(titles)


def test_a_shard_says_what_its_numbers_stand_for() -> None:
    [shard] = series_of(WINDOW, THRESHOLDS, [_article("Earth")]).values()
    assert (shard.first_hour, shard.first_day) == (NEWEST + -167, date(2026, 10, 16))
    assert shard.day_hours_present == (*[0] * 33, 3, 24)
    assert shard.day_floor == 200
    [article] = shard.articles
    assert (article.hour_floor, article.hours, article.days) == (9, (None, 0, 7), (None, 300))


def test_exact_hours_have_the_floor_one() -> None:
    [shard] = series_of(WINDOW, THRESHOLDS, [_article("Earth", exact=True)]).values()
    assert shard.articles[0].hour_floor == 1


def test_nothing_followed_gives_no_shard() -> None:
    assert series_of(WINDOW, THRESHOLDS, []) == {}
