from __future__ import annotations

import pytest
from tests import samples
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.control import Change, Start

EARLY, LATE = Start(hour=samples.hour()), Start(hour=samples.hour() + 1)


@pytest.fixture
def journal() -> Journal:
    return Journal(InMemoryObjectStore())


def announced(journal: Journal) -> list[tuple[str, str]]:
    changes = (journal.read(info.key, Change) for info in journal.store.list(keys.CHANGES))
    return [(change.kind, change.key) for change, _ in filter(None, changes)]


def test_a_record_is_read_with_the_etag_that_replaces_it(journal: Journal) -> None:
    assert journal.read(keys.START, Start) is None
    journal.create(keys.START, EARLY)
    found = journal.read(keys.START, Start)
    assert found is not None
    journal.swap(keys.START, LATE, found[1])
    again = journal.read(keys.START, Start)
    assert again is not None
    assert (found[0], again[0]) == (EARLY, LATE)


def test_what_exists_is_not_created_again(journal: Journal) -> None:
    journal.create(keys.START, EARLY)
    with pytest.raises(ObjectExists):
        journal.create(keys.START, LATE)
    with pytest.raises(ObjectExists):
        journal.swap(keys.START, LATE, None)
    assert len(announced(journal)) == 1


def test_what_was_changed_meanwhile_is_not_overwritten(journal: Journal) -> None:
    journal.create(keys.START, EARLY)
    found = journal.read(keys.START, Start)
    assert found is not None
    journal.put(keys.START, LATE)
    with pytest.raises(ObjectChanged):
        journal.swap(keys.START, EARLY, found[1])


def test_every_write_and_deletion_is_announced_after_it_was_made(journal: Journal) -> None:
    journal.create(keys.START, EARLY)
    journal.put(keys.START, LATE)
    journal.delete(keys.START)
    assert announced(journal) == [("control", keys.START)] * 3


def test_the_changes_feed_can_be_listed_in_the_order_of_time(journal: Journal) -> None:
    journal.announce("markers/a")
    journal.announce("runs/b")
    assert sorted(announced(journal)) == [("markers", "markers/a"), ("runs", "runs/b")]


def test_an_object_of_another_version_is_refused(journal: Journal) -> None:
    journal.store.put(keys.START, b'{"schema_version": 7, "hour": "2026-11-20T09"}')
    with pytest.raises(UnknownSchemaVersion, match=r"control/start\.json has schema_version 7"):
        journal.read(keys.START, Start)
