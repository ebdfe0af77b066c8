"""From raw rows through the real dbt project to the published objects, in the process that the transformer starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from pageviews_core import keys
from pageviews_core.clock import SystemClock
from pageviews_core.hour import Hour
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.page_key import page_key
from pageviews_core.records.published import PublishedIndex, Pulse, Series, Top, Traffic, Trending, series_name
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import HourLoad, Warehouse
from transformer.protocol import Batch, BatchHour, BatchResult
from transformer.settings import TransformerSettings

FIRST = Hour.parse("2026-11-19T17")
MISSING = FIRST + 3
LAST = FIRST + 8
HOURS = [FIRST + offset for offset in range(9) if FIRST + offset != MISSING]
ODD = 'Björk_"Weird"\\_%20\u00a0𝄞'
RUN = "01KAH0R6C0X9S3M4N5P6Q7R8T9"
Views = Mapping[tuple[str, str], int]


def _views(hour: Hour) -> Views:
    """By domain code and title. `Spike` is a hundred views an hour, and 5,000 in the last."""
    return {
        ("en", "Earth"): 40,
        ("en.m", "Earth"): 60,
        ("en", "Spike"): 5000 if hour == LAST else 100,
        ("de", "Spike"): 30,
        ("en", "-"): 500,
        ("en", "Special:Search"): 700,
        ("en", ODD): 3 + hour.started_at.hour % 2,
        ("en.m", ODD): 1,
        **{("en", f"Filler_{number:03}"): 20 for number in range(120)},
    }


def _load(warehouse: Warehouse, hour: Hour, folder: Path) -> BatchHour:
    parquet, views = folder / f"{hour}.parquet", _views(hour)
    with duckdb.connect() as db:
        db.execute("create table pageviews (domain_code varchar, page_title varchar, count_views bigint)")
        db.executemany("insert into pageviews values (?, ?, ?)", [[*key, count] for key, count in views.items()])
        db.execute(f"copy pageviews to '{parquet}'")
    rows, total, sha256 = len(views), sum(views.values()), f"{hour}".encode().hex().ljust(64, "0")
    load = HourLoad(
        hour=hour,
        parquet=parquet,
        sha256=sha256,
        generation_floor=1,
        rows=rows,
        views=total,
        run_id=RUN,
        stage="ingested",
        fence=1,
    )
    warehouse.load_hour(load)
    warehouse.prepare_fences("transformed", [hour])
    return BatchHour(
        hour=hour, generation=1, sha256=sha256, rows=rows, views=total, fence=1, landing="none", raw="none"
    )


def _run(batch: Batch, data: Path) -> BatchResult:
    folder = data / "batch"
    folder.mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "transformer.batch", str(folder)],
        input=batch.model_dump_json(),
        env={**os.environ, "LOCAL_DATA_DIR": str(data), "PAGEVIEWS_WATCH": f"en.wikipedia/{ODD}"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result = BatchResult.of_line(ended.stdout.splitlines()[-1])
    assert result is not None, ended.stdout
    assert result.error is None, result.error
    return result


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TransformerSettings:
    return TransformerSettings(local_data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def store(settings: TransformerSettings) -> LocalObjectStore:
    """After a build of all hours but one."""
    data = settings.local_data_dir
    warehouse = open_warehouse(settings, SystemClock(), engine_memory=256 * 1024**2)
    hours = tuple(_load(warehouse, hour, data) for hour in HOURS)
    result = _run(Batch(run_id=RUN, hours=hours, publish=True), data)
    assert result.published
    assert set(result.built) == {str(hour) for hour in HOURS}
    return LocalObjectStore(data / "objects")


@pytest.fixture(scope="module")
def index(store: LocalObjectStore) -> PublishedIndex:
    return PublishedIndex.decode(store.get(keys.PUBLISHED_INDEX)[0], keys.PUBLISHED_INDEX)


def _body(store: LocalObjectStore, index: PublishedIndex, name: str) -> bytes:
    [key] = [item.key for item in index.objects if item.name == name]
    return store.get(key)[0]


def test_the_index_is_of_the_newest_hour_and_names_what_is_there(
    store: LocalObjectStore, index: PublishedIndex
) -> None:
    assert (index.newest_hour, index.run_id) == (LAST, RUN)
    there = {info.key: info.size for info in store.list("published/")}
    there.pop(keys.PUBLISHED_INDEX)
    assert there == {item.key: item.bytes for item in index.objects}


def test_the_pulse_counts_what_was_loaded(store: LocalObjectStore, index: PublishedIndex) -> None:
    pulse = Pulse.decode(_body(store, index, "pulse"), "pulse")
    assert (pulse.hour, pulse.views) == (LAST, sum(_views(LAST).values()))
    assert pulse.views_hour_before == sum(_views(LAST + -1).values())
    assert pulse.views_day_before is None
    assert pulse.article_views == pulse.views - 1200


def test_the_top_leaves_out_what_is_no_article_and_says_so(store: LocalObjectStore, index: PublishedIndex) -> None:
    top = Top.decode(_body(store, index, "top"), "top")
    assert top.hour is not None
    english = top.hour.projects[0]
    assert [(page.title, page.views, page.previous_rank) for page in english.pages[:2]] == [
        ("Spike", 5000, 2),
        ("Earth", 100, 1),
    ]
    assert {(part.kind, part.views) for part in english.left_out} == {("special", 700), ("unknown", 500)}
    assert top.day is not None
    assert (top.day.starts, top.day.hours_present) == (Hour.parse("2026-11-19T00"), 6)


def test_a_spike_is_trending_with_its_series_and_the_missing_hour_is_null(
    store: LocalObjectStore, index: PublishedIndex
) -> None:
    trending = Trending.decode(_body(store, index, "trending"), "trending")
    assert trending.hourly is not None
    [page] = trending.hourly.pages
    assert (page.title, page.views, page.baseline, page.since) == ("Spike", 5000, 100.0, LAST)
    assert page.hours[-9:] == (100, 100, 100, None, 100, 100, 100, 100, 5000)
    assert [(part.project, part.views) for part in page.elsewhere] == [("de.wikipedia", 30)]
    assert trending.hourly.baseline_periods_present == 7


def test_a_watched_article_has_its_exact_views_whatever_its_title(
    store: LocalObjectStore, index: PublishedIndex
) -> None:
    series = Series.decode(_body(store, index, series_name("en.wikipedia", ODD)), "series")
    [article] = [article for article in series.articles if article.title == ODD]
    expected = [None if FIRST + offset == MISSING else 4 + (FIRST + offset).started_at.hour % 2 for offset in range(9)]
    assert list(article.hours[-9:]) == expected
    assert set(article.hours[:-9]) == {None}
    assert article.hour_floor == 1
    assert article.days[-1] == sum(views for views in expected[:7] if views)


def test_traffic_is_by_access(store: LocalObjectStore, index: PublishedIndex) -> None:
    traffic = Traffic.decode(_body(store, index, "traffic"), "traffic")
    access = {part.access: part.hours[-7:-4] for part in traffic.projects[0].access}
    assert access["mobile"] == (61, None, 61)
    assert traffic.day_hours_present[-1] == 6


def test_the_page_keys_are_the_warehouses_own(settings: TransformerSettings, store: LocalObjectStore) -> None:
    warehouse = open_warehouse(settings, SystemClock(), engine_memory=256 * 1024**2)
    _, pages = warehouse.fetch("select project, page_title, page_key from wikipedia.dim_wikipedia_page")
    assert len(pages) > 120
    assert all(page_key(project, title) == key for project, title, key in pages)


def test_publishing_once_more_changes_nothing(settings: TransformerSettings, store: LocalObjectStore) -> None:
    before = {info.key: info.etag for info in store.list("")}
    assert _run(Batch(run_id=RUN, hours=(), publish=True), settings.local_data_dir).published
    assert {info.key: info.etag for info in store.list("")} == before
