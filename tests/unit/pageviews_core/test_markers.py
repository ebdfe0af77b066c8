from __future__ import annotations

import pytest
from tests import samples
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.journal import Journal
from pageviews_core.markers import newest_generation, newest_generations, read_ingested, read_transformed

HOUR = samples.hour()


@pytest.fixture
def store() -> InMemoryObjectStore:
    store = InMemoryObjectStore()
    for offset, generations in {-1: (1,), 0: (1, 2, 9, 10), 1: (3,), 5: (1,)}.items():
        for generation in generations:
            store.put(keys.marker("ingested", HOUR + offset, generation), b"")
    return store


def test_the_newest_generation_counts_by_number_and_not_by_spelling(store: InMemoryObjectStore) -> None:
    assert newest_generation(store, "ingested", HOUR) == 10
    assert newest_generations(store, "ingested", None)[HOUR] == 10
    assert newest_generation(store, "ingested", HOUR + 2) == 0
    assert newest_generation(store, "transformed", HOUR) == 0


def test_a_listing_begins_and_ends_with_the_given_hours(store: InMemoryObjectStore) -> None:
    assert newest_generations(store, "ingested", HOUR) == {HOUR: 10, HOUR + 1: 3, HOUR + 5: 1}
    assert newest_generations(store, "ingested", HOUR, HOUR + 1) == {HOUR: 10, HOUR + 1: 3}
    assert newest_generations(store, "ingested", None, HOUR + -1) == {HOUR + -1: 1}
    assert newest_generations(store, "transformed", HOUR) == {}


def test_one_listing_is_enough(store: InMemoryObjectStore) -> None:
    newest_generations(store, "ingested", HOUR)
    assert store.requests["list"] == 1
    assert store.requests["get"] == 0


def test_a_marker_is_read_or_is_not_there(store: InMemoryObjectStore) -> None:
    journal = Journal(InMemoryObjectStore())
    assert read_ingested(journal, HOUR, 1) is None
    assert read_transformed(journal, HOUR, 1) is None
    ingested, transformed = samples.ingested_marker(HOUR), samples.transformed_marker(HOUR)
    journal.create(keys.marker("ingested", HOUR, 1), ingested)
    journal.create(keys.marker("transformed", HOUR, 1), transformed)
    assert read_ingested(journal, HOUR, 1) == ingested
    assert read_transformed(journal, HOUR, 1) == transformed


def test_a_marker_of_an_unknown_version_is_refused(store: InMemoryObjectStore) -> None:
    with pytest.raises(UnknownSchemaVersion, match=r"markers/ingested/2026/11/20/09/10\.json"):
        read_ingested(Journal(store), HOUR, 10)


def test_a_stray_object_among_the_markers_is_passed_over(store: InMemoryObjectStore) -> None:
    before = newest_generations(store, "ingested", None)
    store.put("markers/ingested/2026/11/20/note.txt", b"")
    assert newest_generations(store, "ingested", None) == before
