from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.tiny_marts import TinyMarts

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable, UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.records.control import Change
from pageviews_core.records.published import PublishedIndex, Pulse, Series, Top, series_name
from pageviews_core.warehouse.base import Reader
from transformer.published import publish
from transformer.settings import TransformerSettings

NEWEST = Hour.parse("2026-11-20T09")
EARTH = ("en.wikipedia", "Earth")
ODD = ("en.wikipedia", '"Weird_Al"\u00a0\\%20_𝄞')


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Publish = Callable[..., None]


@pytest.fixture
def publish_as(tiny: TinyMarts, store: InMemoryObjectStore, clock: FakeClock) -> Publish:
    def run(run_id: str, *, watch: str = "", warehouse: object = tiny) -> None:
        settings = TransformerSettings(warehouse_schema="wikipedia", watch=watch)
        publish(warehouse, store, settings, clock, run_id=run_id)  # type: ignore[arg-type]  # reads are all it needs

    return run


def _index(store: InMemoryObjectStore) -> PublishedIndex:
    return PublishedIndex.decode(store.get(keys.PUBLISHED_INDEX)[0], keys.PUBLISHED_INDEX)


def _body(store: InMemoryObjectStore, name: str) -> bytes:
    [key] = [item.key for item in _index(store).objects if item.name == name]
    return store.get(key)[0]


def _published(store: InMemoryObjectStore) -> set[str]:
    return {key for key in store.all_keys() if key.startswith("published/")}


def test_the_index_names_all_objects_with_what_they_hold(
    tiny: TinyMarts, store: InMemoryObjectStore, clock: FakeClock, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50, ODD: 40})
    publish_as("first")
    index = _index(store)
    assert (index.run_id, index.newest_hour, index.generated_at) == ("first", NEWEST, clock.now())
    names = {"pulse", "trending", "top", "traffic", series_name(*EARTH), series_name(*ODD)}
    assert {item.name for item in index.objects} == names
    assert all(len(store.get(item.key)[0]) == item.bytes for item in index.objects)
    assert Pulse.decode(_body(store, "pulse"), "pulse").views == 90
    assert Series.decode(_body(store, series_name(*ODD)), "series").articles[0].title == ODD[1]


def test_the_marts_are_read_in_one_go_and_the_file_given_back_before_anything_is_written(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    written_while_reading: list[str] = []

    class Watched:
        @contextmanager
        def reading(self) -> Iterator[Reader]:
            with tiny.reading() as reader:
                store.after = lambda verb, key: written_while_reading.append(key)
                yield reader
                store.after = lambda verb, key: None

    publish_as("first", warehouse=Watched())
    assert tiny.reads == 1
    assert written_while_reading == []


def test_an_empty_warehouse_is_published_as_such(store: InMemoryObjectStore, publish_as: Publish) -> None:
    publish_as("first")
    assert _index(store).newest_hour is None
    assert {item.name for item in _index(store).objects} == {"pulse", "trending", "top", "traffic"}
    assert Top.decode(_body(store, "top"), "top") == Top()


def test_before_all_marts_are_built_nothing_is_published(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    tiny.db.execute("drop table wikipedia.trending_pages_daily")
    publish_as("first")
    assert store.all_keys() == ()


def test_only_the_index_is_announced_and_it_comes_last(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    order: list[str] = []
    store.after = lambda verb, key: order.append(key)
    publish_as("first")
    assert order[-2] == keys.PUBLISHED_INDEX
    assert order[-1].startswith(keys.CHANGES)
    change = Change.decode(store.get(order[-1])[0], order[-1])
    assert (change.kind, change.key) == ("published", keys.PUBLISHED_INDEX)
    assert sum(key.startswith(keys.CHANGES) for key in store.all_keys()) == 1


def test_publishing_again_without_a_change_writes_nothing(
    tiny: TinyMarts, store: InMemoryObjectStore, clock: FakeClock, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    publish_as("first")
    store.requests.clear()
    clock.advance(3600)
    publish_as("second")
    assert store.requests == {"get": 1}
    assert _index(store).run_id == "first"


def test_only_what_changed_is_written_again(
    tiny: TinyMarts, store: InMemoryObjectStore, clock: FakeClock, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    publish_as("first")
    before = {item.name: item.key for item in _index(store).objects}
    clock.advance(60)
    tiny.add_trending_hour(NEWEST, *EARTH, 50, baseline=9)
    publish_as("second")
    after = {item.name: item.key for item in _index(store).objects}
    assert {name for name in after if after[name] != before.get(name)} == {"trending"}
    assert _index(store).run_id == "second"


def test_a_publish_of_an_older_hour_changes_nothing(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    publish_as("newer")
    before = store.all_keys()
    late = TinyMarts()
    publish_as("empty", warehouse=late)
    late.add_hour(NEWEST + -1, {EARTH: 50})
    publish_as("late", warehouse=late)
    assert store.all_keys() == before
    assert _index(store).run_id == "newer"


def test_one_that_wakes_late_does_not_put_older_results_back(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    late = TinyMarts()
    late.add_hour(NEWEST, {EARTH: 50})

    class Paused:
        """Reads its marts, and sleeps while another run restates the hour and publishes it."""

        @contextmanager
        def reading(self) -> Iterator[Reader]:
            with late.reading() as reader:
                yield reader
            if late.reads == 1:
                tiny.add_trending_hour(NEWEST, *EARTH, 50, baseline=9)
                late.add_trending_hour(NEWEST, *EARTH, 50, baseline=9)
                publish_as("newer")

    publish_as("late", warehouse=Paused())
    assert late.reads == 2
    assert _index(store).run_id == "newer"


def test_one_that_never_gets_its_turn_gives_up_quietly(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    other = TinyMarts()

    class AlwaysOvertaken:
        @contextmanager
        def reading(self) -> Iterator[Reader]:
            with tiny.reading() as reader:
                yield reader
            other.add_hour(NEWEST + -tiny.reads, {EARTH: 50})
            publish_as("other", warehouse=other)

    other.add_hour(NEWEST, {EARTH: 40})
    publish_as("late", warehouse=AlwaysOvertaken())
    assert tiny.reads == 3
    assert _index(store).run_id == "other"


def test_objects_of_the_index_before_stay_for_those_who_read_it_and_go_with_the_next(
    tiny: TinyMarts, store: InMemoryObjectStore, clock: FakeClock, publish_as: Publish
) -> None:
    generations = []
    for number in range(3):
        tiny.add_hour(NEWEST + number, {EARTH: 50 + number})
        publish_as(f"run-{number}")
        generations.append({item.key for item in _index(store).objects})
        clock.advance(timedelta(hours=2).total_seconds())
    assert _published(store) == generations[1] | generations[2] | {keys.PUBLISHED_INDEX}


def test_a_kill_before_the_index_leaves_the_old_results_whole(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    publish_as("first")
    tiny.add_hour(NEWEST + 1, {EARTH: 60})

    def die(verb: str, key: str) -> None:
        if verb == "replace":
            raise StoreUnavailable("gone")

    store.before = die
    with pytest.raises(StoreUnavailable):
        publish_as("killed")
    store.before = lambda verb, key: None
    assert _index(store).newest_hour == NEWEST
    assert Pulse.decode(_body(store, "pulse"), "pulse").hour == NEWEST
    publish_as("again")
    assert _index(store).newest_hour == NEWEST + 1


def test_an_index_of_another_version_is_refused_and_left(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    store.put(keys.PUBLISHED_INDEX, b'{"schema_version": 99}')
    with pytest.raises(UnknownSchemaVersion):
        publish_as("first")
    assert store.all_keys() == (keys.PUBLISHED_INDEX,)


def test_a_watched_article_is_published_even_without_a_view(
    tiny: TinyMarts, store: InMemoryObjectStore, publish_as: Publish
) -> None:
    tiny.add_hour(NEWEST, {EARTH: 50})
    tiny.add_day(date(2026, 11, 19), {EARTH: 500})
    publish_as("first", watch="en.wikipedia/Xyzzy")
    series = Series.decode(_body(store, series_name("en.wikipedia", "Xyzzy")), "series")
    [article] = [article for article in series.articles if article.title == "Xyzzy"]
    assert (article.hours[-1], article.hours[-2], article.hour_floor) == (0, None, 1)
