from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.records.published import (
    SERIES_SHARDS,
    ArticleSeries,
    PublishedIndex,
    PublishedObject,
    Series,
    series_name,
)

TITLES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def _series(title: str, hours: tuple[int | None, ...] = (3, None, 0)) -> Series:
    article = ArticleSeries(project="en.wikipedia", title=title, hour_floor=9, hours=hours, days=(None,))
    return Series(
        first_hour=Hour.parse("2026-11-20T09"),
        first_day=date(2026, 10, 17),
        day_hours_present=(0,),
        day_floor=200,
        articles=(article,),
    )


@given(TITLES)
def test_any_title_comes_back_as_it_was(title: str) -> None:
    assert Series.decode(_series(title).encode(), "key").articles[0].title == title


def test_a_missing_hour_is_null_and_no_white_space_is_written() -> None:
    encoded = _series("Earth").encode()
    assert b'"hours":[3,null,0]' in encoded
    assert b" " not in encoded


def test_an_index_of_another_version_is_refused() -> None:
    index = PublishedIndex(
        generated_at=datetime(2026, 11, 20, tzinfo=UTC),
        run_id="run",
        newest_hour=None,
        objects=(PublishedObject(name="pulse", key="published/pulse/a.json", sha256="ab", bytes=2),),
    )
    assert PublishedIndex.decode(index.encode(), "key") == index
    with pytest.raises(UnknownSchemaVersion):
        PublishedIndex.decode(index.encode().replace(b'"schema_version":1', b'"schema_version":2'), "key")


@given(TITLES)
def test_an_article_has_one_of_the_shards_for_good(title: str) -> None:
    name = series_name("en.wikipedia", title)
    assert name == series_name("en.wikipedia", title)
    assert name in {f"series/{shard:02x}" for shard in range(SERIES_SHARDS)}


def test_shards_run_from_00_to_3f_and_fill_evenly() -> None:
    names = [series_name("en.wikipedia", f"Page_{number}") for number in range(6400)]
    counts = [names.count(f"series/{shard:02x}") for shard in range(SERIES_SHARDS)]
    assert sum(counts) == 6400
    assert min(counts) > 50
