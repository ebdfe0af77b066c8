from __future__ import annotations

from contextlib import suppress

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from ulid import ULID

from pageviews_core import keys
from pageviews_core.journal import Journal
from status_api.index.feed import FEED_REACH, Feed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def feed(store: InMemoryObjectStore, clock: FakeClock) -> Feed:
    feed = Feed(store, clock)
    feed.begin()
    return feed


def changed(feed: Feed) -> list[str]:
    with feed.changed() as found:
        return found


def announce(store: InMemoryObjectStore, clock: FakeClock, key: str) -> None:
    journal = Journal(store)
    journal.announce(key)
    [newest] = [info.key for info in store.list(keys.CHANGES)][-1:]
    body, _ = store.get(newest)
    store.delete(newest)
    store.put(keys.change(str(ULID.from_datetime(clock.now()))), body)


def test_a_change_is_new_once(feed: Feed, store: InMemoryObjectStore, clock: FakeClock) -> None:
    announce(store, clock, "notes/a")
    assert changed(feed) == ["notes/a"]
    assert changed(feed) == []


def test_what_could_not_be_dealt_with_is_new_again(feed: Feed, store: InMemoryObjectStore, clock: FakeClock) -> None:
    announce(store, clock, "notes/a")
    store.put(keys.tick("ingestor"), b"{}")
    with suppress(OSError), feed.changed() as found:
        assert found == ["notes/a", keys.tick("ingestor")]
        raise OSError("full")
    assert changed(feed) == ["notes/a", keys.tick("ingestor")]


def test_a_tick_is_new_when_it_says_something_else(feed: Feed, store: InMemoryObjectStore) -> None:
    store.put(keys.tick("transformer"), b"{}")
    assert changed(feed) == [keys.tick("transformer")]
    assert changed(feed) == []
    store.put(keys.tick("transformer"), b"{ }")
    assert changed(feed) == [keys.tick("transformer")]


def test_what_was_announced_before_the_beginning_is_not_new(store: InMemoryObjectStore, clock: FakeClock) -> None:
    announce(store, clock, "notes/a")
    feed = Feed(store, clock)
    feed.begin()
    assert changed(feed) == []


def test_a_change_by_a_clock_that_is_behind_is_found(feed: Feed, store: InMemoryObjectStore, clock: FakeClock) -> None:
    at = clock.now() - FEED_REACH / 2
    body = b'{"schema_version": 1, "kind": "notes", "key": "notes/late"}'
    store.put(keys.change(str(ULID.from_datetime(at))), body)
    assert changed(feed) == ["notes/late"]


def test_a_change_of_a_newer_version_is_left_aside(feed: Feed, store: InMemoryObjectStore, clock: FakeClock) -> None:
    body = b'{"schema_version": 99, "kind": "notes", "key": "notes/a"}'
    store.put(keys.change(str(ULID.from_datetime(clock.now()))), body)
    assert changed(feed) == []
