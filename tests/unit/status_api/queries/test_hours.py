from __future__ import annotations

from datetime import timedelta

import pytest
from tests import samples
from tests.unit.status_api.filled import NEWEST, NOW, OPERATOR, Filled

from pageviews_core import keys
from status_api.queries.answers import BadCursor, NotFound
from status_api.queries.hours import calendar, grid, list_hours, read_hour
from status_api.queries.notes import add_note


def test_pages_put_together_are_all_hours_once_in_their_order(filled: Filled) -> None:
    filled.complete(filled.first)
    view, found, cursor = filled.view, [], None
    while True:
        page = list_hours(view, limit=3, cursor=cursor)
        found += [item.hour for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [NEWEST + -back for back in range(8)]


def test_ranges_are_half_open_and_filters_hold(filled: Filled) -> None:
    filled.complete(NEWEST + -3, NEWEST + -2)
    view = filled.view
    page = list_hours(view, since=NEWEST + -3, until=NEWEST + -1)
    assert [item.hour - NEWEST for item in page.items] == [-2, -3]
    assert [item.state for item in page.items] == ["complete", "complete"]
    assert [item.hour - NEWEST for item in list_hours(view, states=["complete"], newest_first=False).items] == [-3, -2]
    assert not list_hours(view, warning="views_unusual").items
    assert not list_hours(view, any_warning=True).items


def test_a_cursor_belongs_to_its_filters(filled: Filled) -> None:
    view = filled.view
    cursor = list_hours(view, limit=1).next_cursor
    with pytest.raises(BadCursor):
        list_hours(view, limit=1, states=["complete"], cursor=cursor)


def test_an_hour_with_all_that_is_known_of_it(filled: Filled) -> None:
    filled.fail(NEWEST)
    filled.run(1)
    filled.store.put(f"raw/pageviews/{NEWEST.path}/x/f.gz", b"gz")
    add_note(filled.view, (NEWEST,), "known", NOW + timedelta(days=1), OPERATOR)
    detail = read_hour(filled.view, NEWEST)
    assert (detail.summary.state, detail.summary.error_type) == ("failed", "SourceCorrupt")
    assert [failure.attempt for failure in detail.failures] == [1]
    assert [run.outcome for run in detail.runs] == ["done"]
    assert [(item.key.rsplit("/", 1)[1], item.bytes) for item in detail.objects] == [("f.gz", 2)]
    assert [note.reason for note in detail.notes] == ["known"]
    assert (detail.ingested, detail.transformed, detail.unreadable) == ((), (), ())


def test_generations_come_newest_first_beyond_nine(filled: Filled) -> None:
    for generation in range(1, 12):
        marker = samples.ingested_marker(NEWEST, generation)
        filled.journal.create(keys.marker("ingested", NEWEST, generation), marker)
    detail = read_hour(filled.view, NEWEST)
    assert [marker.generation for marker in detail.ingested] == list(range(11, 0, -1))
    assert detail.summary.generation == 11


def test_an_object_of_the_hour_that_cannot_be_read_is_named(filled: Filled) -> None:
    filled.store.put(keys.marker("ingested", NEWEST, 1), b'{"schema_version": 99}')
    assert "schema_version 99" in read_hour(filled.view, NEWEST).unreadable[0]


@pytest.mark.parametrize("offset", [-8, 1])
def test_an_hour_that_was_never_expected_is_not_found(filled: Filled, offset: int) -> None:
    with pytest.raises(NotFound):
        read_hour(filled.view, NEWEST + offset)


def test_the_grid_has_a_cell_for_each_hour_and_nothing_where_none_is_expected(filled: Filled) -> None:
    filled.complete(NEWEST)
    rows = grid(filled.view, NOW.date(), 2)
    assert [day for day, _ in rows] == [NOW.date(), NOW.date() - timedelta(days=1)]
    today = rows[0][1]
    assert today[9] is not None
    assert (today[9].hour, today[9].state) == (NEWEST, "complete")
    assert today[10] is None
    assert today[1] is None
    assert rows[1][1] == [None] * 24


def test_the_views_of_a_day_with_an_hour_missing_are_not_known(filled: Filled) -> None:
    filled.complete(NEWEST, NEWEST + -1)
    (day,) = calendar(filled.view, NOW.date(), NOW.date())
    assert (day.views, day.views_so_far, day.hours["complete"]) == (None, 60, 2)
