from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.records.published import PublishedIndex, PublishedObject, Pulse
from transformer.published.objects import named_keys, new_bytes, write_objects

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


def _index(*objects: PublishedObject) -> PublishedIndex:
    return PublishedIndex(generated_at=NOW, run_id="run", newest_hour=None, objects=objects)


def test_an_object_is_named_with_what_was_written() -> None:
    store = InMemoryObjectStore()
    [written] = write_objects(store, {"series/3f": Pulse(floor=9)}, None, NOW)
    body, _ = store.get(written.key)
    assert body == Pulse(floor=9).encode()
    assert (written.bytes, written.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert written.key.startswith("published/series/3f/")
    assert keys.time_of(written.key.rpartition("/")[2].removesuffix(".json")) == NOW


def test_the_same_content_keeps_its_object_and_is_not_written_again() -> None:
    store = InMemoryObjectStore()
    first = write_objects(store, {"a": Pulse(floor=9), "b": Pulse(floor=9)}, None, NOW)
    store.requests.clear()
    again = write_objects(store, {"a": Pulse(floor=9), "b": Pulse(floor=10)}, _index(*first), NOW + timedelta(days=1))
    assert again[0] == first[0]
    assert again[1].key != first[1].key
    assert store.requests == {"create": 1}
    assert new_bytes(again, _index(*first)) == again[1].bytes
    assert named_keys(_index(*first), None, _index(*again)) == {item.key for item in (*first, *again)}
