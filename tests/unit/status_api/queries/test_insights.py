from __future__ import annotations

import hashlib
import shlex
from datetime import date
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import hour, no_scheduler
from tests.unit.status_api.memory_index import MemoryIndex

from pageviews_core.errors import StoreUnavailable
from pageviews_core.page_key import page_key
from pageviews_core.records.published import (
    ArticleSeries,
    PublishedRecord,
    Pulse,
    Series,
    Top,
    Traffic,
    Trending,
    series_name,
)
from status_api.queries import insights
from status_api.settings import StatusSettings
from status_api.view import View

_ARTICLE = ("en.wikipedia", "Main_character")


class _Published:
    """A store with published objects, and the index that names them."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.index = MemoryIndex()
        self.view = View(self.index, self.store, FakeClock(), StatusSettings(), no_scheduler())

    def publish(
        self, name: str, record: PublishedRecord | bytes, *, sha256: str | None = None, key: str | None = None
    ) -> str:
        body = record if isinstance(record, bytes) else record.encode()
        key = key or f"published/{name}/01JD4Q2Z5V0000000000000001.json"
        self.store.put(key, body)
        self.index.add(
            "published", name=name, key=key, sha256=sha256 or hashlib.sha256(body).hexdigest(), bytes=len(body)
        )
        return key

    def meta(self, **values: str | None) -> None:
        for name, value in values.items():
            self.index.add("meta", name=name, value=value)


@pytest.fixture
def published() -> _Published:
    return _Published()


def _series(*articles: tuple[str, str]) -> Series:
    return Series(
        first_hour=hour("2026-11-13T10"),
        first_day=date(2026, 10, 16),
        day_hours_present=(24, 23),
        day_floor=200,
        articles=tuple(
            ArticleSeries(project=project, title=title, hour_floor=9, hours=(1, None, 3), days=(None, 4))
            for project, title in articles
        ),
    )


def test_before_the_first_build_there_is_nothing(published: _Published) -> None:
    assert insights.read_published(published.view) == insights.Published(
        generated_at=None, newest_hour=None, stale=False
    )
    for read in (insights.read_pulse, insights.read_trending, insights.read_top, insights.read_traffic):
        assert read(published.view) is None
    assert published.store.requests == {}


@pytest.mark.parametrize(
    ("newest", "complete", "stale"),
    [
        ("2026-11-20T09", "2026-11-20T09", False),
        ("2026-11-20T08", "2026-11-20T09", True),
        (None, "2026-11-20T09", True),
        ("2026-11-20T09", None, False),
    ],
)
def test_results_are_stale_once_an_hour_is_newer(
    published: _Published, newest: str | None, complete: str | None, stale: bool
) -> None:
    published.meta(
        published_generated_at="2026-11-20T10:20:00Z", published_newest_hour=newest, newest_complete_hour=complete
    )
    found = insights.read_published(published.view)
    assert found.stale is stale
    assert found.newest_hour == (hour(newest) if newest else None)
    assert found.generated_at is not None
    assert found.generated_at.isoformat() == "2026-11-20T10:20:00+00:00"


def test_each_result_is_read_once_however_often_it_is_asked_for(published: _Published) -> None:
    records = {
        "pulse": Pulse(floor=9, views=7),
        "trending": Trending(floor=9),
        "top": Top(),
        "traffic": Traffic(definition_changes=()),
        "series/0a": _series(_ARTICLE),
    }
    for name, record in records.items():
        published.publish(name, record)
    for _ in range(3):
        assert insights.read_pulse(published.view) == records["pulse"]
        assert insights.read_trending(published.view) == records["trending"]
        assert insights.read_top(published.view) == records["top"]
        assert insights.read_traffic(published.view) == records["traffic"]
        assert insights.read_series(published.view, "series/0a") == records["series/0a"]
    assert published.store.requests["get"] == 5


@pytest.mark.parametrize("name", ["pulse", "series/zz", "series/", "../control"])
def test_only_what_is_a_series_is_read_as_one(published: _Published, name: str) -> None:
    published.publish("pulse", Pulse(floor=9))
    assert insights.read_series(published.view, name) is None


@pytest.mark.parametrize(
    ("body", "sha256", "reason"),
    [
        (b"{", None, "not a Pulse"),
        (b'{"schema_version": 2, "floor": 9}', None, "schema_version 2"),
        (b'{"schema_version": 1, "floor": 9, "more": 1}', None, "not a Pulse"),
        (Pulse(floor=9).encode(), "0" * 64, "sha256"),
    ],
)
def test_what_cannot_be_trusted_or_read_is_none_and_logged_once(
    published: _Published, body: bytes, sha256: str | None, reason: str
) -> None:
    key = published.publish("pulse", body, sha256=sha256)
    with capture_logs() as logs:
        assert insights.read_pulse(published.view) is None
        assert insights.read_pulse(published.view) is None
    [entry] = logs
    assert (entry["event"], entry["key"]) == ("published_object_refused", key)
    assert reason in entry["reason"]


@pytest.mark.parametrize("key", ["published/pulse/gone.json", "../outside.json"])
def test_an_object_that_is_gone_is_none(published: _Published, key: str) -> None:
    published.index.add("published", name="pulse", key=key, sha256="0" * 64, bytes=1)
    with capture_logs() as logs:
        assert insights.read_pulse(published.view) is None
    assert [entry["event"] for entry in logs] == ["published_object_refused"]


def test_a_store_that_is_down_is_said_and_asked_again(published: _Published) -> None:
    published.publish("pulse", Pulse(floor=9))

    def refuse(verb: str, key: str) -> None:
        raise StoreUnavailable("gone")

    published.store.before = refuse
    with pytest.raises(StoreUnavailable):
        insights.read_pulse(published.view)
    published.store.before = lambda verb, key: None
    assert insights.read_pulse(published.view) == Pulse(floor=9)


@pytest.mark.parametrize(
    ("project", "title"),
    [
        _ARTICLE,
        ("en.wikipedia", " Main character "),
        ("EN.wikipedia.org", "Main_character"),
        (" en.wikipedia", "Main_character"),
    ],
)
def test_an_article_is_found_as_a_person_types_it(published: _Published, project: str, title: str) -> None:
    published.publish(series_name(*_ARTICLE), _series(("en.wikipedia", "Another"), _ARTICLE))
    article = insights.read_article(published.view, project, title)
    assert (article.project, article.title) == _ARTICLE
    assert article.followed
    assert article.series is not None
    assert (article.series.title, article.series.hours) == ("Main_character", (1, None, 3))
    assert (article.first_hour, article.first_day) == (hour("2026-11-13T10"), "2026-10-16")
    assert (article.day_hours_present, article.day_floor) == ((24, 23), 200)


@pytest.mark.parametrize("title", ["main_character", "Main_characters"])
def test_an_article_outside_gets_the_query_to_run(published: _Published, title: str) -> None:
    published.publish(series_name(*_ARTICLE), _series(_ARTICLE))
    article = insights.read_article(published.view, "en.wikipedia", title)
    assert not article.followed
    assert (article.series, article.first_hour, article.first_day, article.day_hours_present) == (None, None, None, ())
    assert f"page_key = {page_key('en.wikipedia', title)} " in article.sql


def test_quotes_are_doubled_in_the_query_and_safe_in_the_shell(published: _Published) -> None:
    title = """'"; drop table x; -- $(id) `id` !'"""
    article = insights.read_article(published.view, "en.wikipedia", title)
    assert article.sql.count("'") % 2 == 0
    assert """page_title = '''";_drop_table_x;_--_$(id)_`id`_!'''""" in article.sql
    assert shlex.split(article.command) == ["pageviews-transformer", "query", article.sql]


def test_the_query_names_the_schema_that_is_set(published: _Published) -> None:
    settings = StatusSettings(warehouse_schema="OTHER")
    view = View(published.index, published.store, FakeClock(), settings, no_scheduler())
    assert " from other.wikipedia_pageviews " in insights.read_article(view, *_ARTICLE).sql


@pytest.mark.parametrize(
    ("project", "title"),
    [
        ("", "A"),
        ("en wikipedia", "A"),
        ("en.wikipedia/../x", "A"),
        ("a" * 64, "A"),
        ("ün.wikipedia", "A"),
        ("en.wikipedia", ""),
        ("en.wikipedia", "  "),
        ("en.wikipedia", "a\nb"),
        ("en.wikipedia", "a\x00b"),
        ("en.wikipedia", "a\x85b"),
        ("en.wikipedia", "a\udc80b"),
        ("en.wikipedia", "ü" * 351),
    ],
)
def test_what_can_be_no_article_is_refused(published: _Published, project: str, title: str) -> None:
    with pytest.raises(ValueError, match=r"project|title"):
        insights.read_article(published.view, project, title)
    assert published.store.requests == {}


@pytest.mark.parametrize("title", ["ü" * 350, "\u202eabc", "<script>", "🜚"])
def test_titles_of_every_script_are_articles(published: _Published, title: str) -> None:
    published.publish(series_name("xx.wikipedia", title), _series(("xx.wikipedia", title)))
    assert insights.read_article(published.view, "xx.wikipedia", title).followed


def test_of_the_series_only_a_few_are_kept(published: _Published) -> None:
    names = [f"series/{shard:02x}" for shard in range(64)]
    for name in names:
        published.publish(name, _series(_ARTICLE))
    found: list[Any] = [insights.read_series(published.view, name) for name in names]
    assert None not in found
    published.store.requests.clear()
    for name in names[-8:]:
        insights.read_series(published.view, name)
    assert published.store.requests == {}
    insights.read_series(published.view, names[0])
    assert published.store.requests == {"get": 1}
