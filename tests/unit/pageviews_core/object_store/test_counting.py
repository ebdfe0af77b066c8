from __future__ import annotations

from itertools import islice

import pytest
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core.object_store.base import ObjectExists
from pageviews_core.object_store.counting import CountingObjectStore


@pytest.fixture
def store() -> CountingObjectStore:
    return CountingObjectStore(InMemoryObjectStore())


def test_each_verb_is_counted_and_passed_on(store: CountingObjectStore) -> None:
    etag = store.create("k", b"1")
    etag = store.replace("k", b"2", etag=etag)
    assert store.get("k") == (b"2", etag)
    with store.open("k", offset=1) as stream:
        assert stream.read() == b""
    assert store.head("k").size == 1
    store.put("k", b"3")
    store.delete("k")
    assert store.requests == dict.fromkeys(["create", "replace", "get", "open", "head", "put", "delete"], 1)
    assert store.total == 7
    assert store.url == "memory:"


def test_a_refused_request_counts_too(store: CountingObjectStore) -> None:
    store.create("k", b"")
    with pytest.raises(ObjectExists):
        store.create("k", b"")
    assert store.requests == {"create": 2}


@pytest.mark.parametrize(("keys", "requests"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (2001, 3)])
def test_a_listing_counts_once_for_each_thousand_keys(store: CountingObjectStore, keys: int, requests: int) -> None:
    for number in range(keys):
        store.put(f"k/{number:05d}", b"")
    assert len(list(store.list("k/"))) == keys
    assert store.requests["list"] == requests


def test_a_listing_counts_only_the_pages_that_were_taken(store: CountingObjectStore) -> None:
    for number in range(1500):
        store.put(f"k/{number:05d}", b"")
    assert [info.key for info in islice(store.list("k/", start_after="k/00002"), 2)] == ["k/00003", "k/00004"]
    assert store.requests["list"] == 1
