from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.memory_object_store import InMemoryObjectStore
from ulid import ULID

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from transformer.published.pruning import DELETED_AT_MOST, GRACE, prune

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
OLD = NOW - GRACE - timedelta(seconds=1)


def _object(store: InMemoryObjectStore, made_at: datetime, name: str = "series/0a") -> str:
    key = f"published/{name}/{ULID.from_datetime(made_at)}.json"
    store.create(key, b"{}")
    return key


def test_only_what_no_index_names_and_is_older_than_the_grace_goes() -> None:
    store = InMemoryObjectStore()
    store.put(keys.PUBLISHED_INDEX, b"{}")
    named, young, _ = _object(store, OLD), _object(store, NOW - GRACE), _object(store, OLD)
    prune(store, {named}, NOW)
    assert set(store.all_keys()) == {keys.PUBLISHED_INDEX, named, young}


def test_what_was_made_after_the_publish_began_stays_however_late_it_prunes() -> None:
    store = InMemoryObjectStore()
    later = _object(store, NOW + timedelta(hours=5))
    prune(store, set(), NOW)
    assert store.all_keys() == (later,)


def test_one_run_deletes_no_more_than_its_bound() -> None:
    store = InMemoryObjectStore()
    for _ in range(DELETED_AT_MOST + 7):
        _object(store, OLD)
    prune(store, set(), NOW)
    assert len(store.all_keys()) == 7
    prune(store, set(), NOW)
    assert store.all_keys() == ()


def test_objects_of_other_names_are_left_alone() -> None:
    store = InMemoryObjectStore()
    store.put("published/readme.txt", b"")
    store.put("runs/2026/11/20/x/run.json", b"")
    prune(store, set(), NOW)
    assert len(store.all_keys()) == 2


def test_a_store_that_fails_leaves_the_rest_for_the_next_time() -> None:
    store = InMemoryObjectStore()
    _object(store, OLD)

    def fail(verb: str, key: str) -> None:
        if verb == "delete":
            raise StoreUnavailable("throttled")

    store.before = fail
    prune(store, set(), NOW)
    assert len(store.all_keys()) == 1
