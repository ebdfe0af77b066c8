from __future__ import annotations

from collections.abc import Callable

import pytest
from tests import samples
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged
from pageviews_core.records.control import Settled
from pageviews_core.watermark import Watermark, first_unsettled

START = samples.hour()


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def watermark(store: InMemoryObjectStore) -> Watermark:
    return Watermark(Journal(store))


def settle(watermark: Watermark, start: Hour, before: Hour) -> None:
    assert watermark.raise_to(start, before, watermark.read()[1])


def stored(watermark: Watermark) -> tuple[Hour, Hour]:
    settled, _ = watermark.read()
    assert settled is not None
    return settled.start, settled.before


def when_first(verb: str, store: InMemoryObjectStore, act: Callable[[], object]) -> None:
    """Somebody else acts right before the first request of that kind for the watermark."""

    def race(asked: str, key: str) -> None:
        if (asked, key) == (verb, keys.SETTLED):
            store.before = no_fault
            act()

    store.before = race


def test_without_a_watermark_everything_from_the_start_needs_a_look(watermark: Watermark) -> None:
    assert watermark.read() == (None, None)
    assert watermark.floor(START) == START
    assert not watermark.lower_to(START)


def test_hours_before_the_watermark_need_no_look(watermark: Watermark) -> None:
    settle(watermark, START, START + 5)
    assert watermark.floor(START) == START + 5
    assert watermark.floor(START + 3) == START + 5


def test_a_start_that_was_moved_back_makes_hours_owed_that_the_watermark_never_saw(watermark: Watermark) -> None:
    settle(watermark, START, START + 5)
    assert watermark.floor(START + -10) == START + -10


def test_a_start_that_was_moved_beyond_the_watermark_is_the_floor(watermark: Watermark) -> None:
    settle(watermark, START, START + 5)
    assert watermark.floor(START + 9) == START + 9


def test_the_floor_is_the_same_for_a_watermark_already_read() -> None:
    assert first_unsettled(None, START) == START
    assert first_unsettled(Settled(start=START, before=START + 5), START + 1) == START + 5


@pytest.mark.parametrize(("hour", "lowered"), [(-3, True), (0, True), (4, True), (5, False), (6, False)])
def test_it_is_lowered_to_an_hour_before_it_and_to_no_other(watermark: Watermark, hour: int, lowered: bool) -> None:
    settle(watermark, START, START + 5)
    assert watermark.lower_to(START + hour) is lowered
    assert watermark.floor(min(START, START + hour)) <= START + hour or not lowered
    assert stored(watermark) == (START + min(0, hour), START + (hour if lowered else 5))


def test_an_hour_before_the_start_is_looked_at_once_the_start_is_moved_back_to_it(watermark: Watermark) -> None:
    settle(watermark, START, START + 5)
    watermark.lower_to(START + -3)
    assert watermark.floor(START + -3) == START + -3


def test_lowering_wins_against_somebody_who_raises_it_at_the_same_moment(
    watermark: Watermark, store: InMemoryObjectStore
) -> None:
    settle(watermark, START, START + 5)
    when_first("replace", store, lambda: settle(watermark, START, START + 9))
    assert watermark.lower_to(START + 2)
    assert stored(watermark) == (START, START + 2)


def test_two_that_lower_it_end_at_the_lower_hour(watermark: Watermark, store: InMemoryObjectStore) -> None:
    settle(watermark, START, START + 5)
    when_first("replace", store, lambda: watermark.lower_to(START + 1))
    assert not watermark.lower_to(START + 3)
    assert stored(watermark) == (START, START + 1)


def test_it_is_not_raised_over_somebody_who_lowered_it_since_it_was_read(watermark: Watermark) -> None:
    settle(watermark, START, START + 5)
    _, etag = watermark.read()
    watermark.lower_to(START + 2)
    assert not watermark.raise_to(START, START + 9, etag)
    assert stored(watermark) == (START, START + 2)


def test_of_two_that_set_the_first_watermark_one_does(watermark: Watermark, store: InMemoryObjectStore) -> None:
    when_first("create", store, lambda: watermark.raise_to(START, START + 1, None))
    assert not watermark.raise_to(START, START + 9, None)
    assert stored(watermark) == (START, START + 1)


def test_a_watermark_deleted_meanwhile_is_not_raised_and_needs_no_lowering(
    watermark: Watermark, store: InMemoryObjectStore
) -> None:
    settle(watermark, START, START + 5)
    _, etag = watermark.read()
    when_first("replace", store, lambda: store.delete(keys.SETTLED))
    assert not watermark.raise_to(START, START + 9, etag)
    settle(watermark, START, START + 5)
    when_first("replace", store, lambda: store.delete(keys.SETTLED))
    assert not watermark.lower_to(START)
    assert watermark.floor(START) == START


def test_lowering_gives_up_with_an_error_where_others_never_stop_changing_it(
    watermark: Watermark, store: InMemoryObjectStore
) -> None:
    settle(watermark, START, START + 5)

    def always(verb: str, key: str) -> None:
        if verb == "replace":
            raise ObjectChanged(key)

    store.before = always
    with pytest.raises(ObjectChanged):
        watermark.lower_to(START)


def test_a_watermark_of_a_newer_version_is_refused_and_left_as_it_is(
    watermark: Watermark, store: InMemoryObjectStore
) -> None:
    store.put(keys.SETTLED, b'{"schema_version": 2}')
    with pytest.raises(UnknownSchemaVersion):
        watermark.lower_to(START)
    assert store.get(keys.SETTLED)[0] == b'{"schema_version": 2}'


def test_each_change_is_announced(watermark: Watermark, store: InMemoryObjectStore) -> None:
    settle(watermark, START, START + 5)
    watermark.lower_to(START)
    assert len([key for key in store.all_keys() if key.startswith(keys.CHANGES)]) == 2
