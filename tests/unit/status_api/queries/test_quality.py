from __future__ import annotations

from typing import Any

from tests import samples
from tests.unit.status_api.filled import NEWEST, Filled, serving

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.records.marker import ControlDifference, ControlTotals, IngestedMarker, LineCounts
from status_api.queries.quality import Quality, read_quality

DIFFERS = ControlTotals(
    state="differs",
    expected_views=40,
    differing_domains=2,
    differences=(
        ControlDifference(domain_code="en", expected=25, found=20),
        ControlDifference(domain_code="de.m", expected=None, found=5),
    ),
)


def _ingest(filled: Filled, hour: Hour, generation: int, **changes: Any) -> IngestedMarker:
    marker = samples.ingested_marker(hour, generation).model_copy(update=changes)
    filled.journal.create(keys.marker("ingested", hour, generation), marker)
    return marker


def _build(filled: Filled, hour: Hour, generation: int, *warnings: str) -> None:
    marker = samples.transformed_marker(hour, generation).model_copy(update={"warnings": warnings})
    filled.journal.create(keys.marker("transformed", hour, generation), marker)


def _restate(filled: Filled, hour: Hour) -> None:
    _ingest(filled, hour, 1, control=DIFFERS, rows=LineCounts(lines=11, loaded=10, rejected=1))
    _build(filled, hour, 1, "views_look_usual")
    source = samples.ingested_marker(hour).source.model_copy(update={"bytes": 130})
    _ingest(filled, hour, 2, source=source, rows=LineCounts(lines=12, loaded=12, rejected=0), views=40)


def test_a_generation_is_compared_with_the_one_before_it(filled: Filled) -> None:
    _restate(filled, NEWEST)
    (found,) = read_quality(filled.view).generations
    assert (found.hour, found.generation, found.before) == (NEWEST, 2, 1)
    assert (found.rows_before, found.rows) == (10, 12)
    assert (found.views_before, found.views) == (30, 40)
    assert (found.rejected_before, found.rejected) == (1, 0)
    assert (found.bytes_before, found.bytes) == (100, 130)
    assert (found.control_before, found.control) == ("differs", "matched")
    assert (found.test_warnings_before, found.test_warnings) == (("views_look_usual",), None)
    assert found.transformed_at is None

    _build(filled, NEWEST, 2)
    (found,) = read_quality(filled.view).generations
    assert (found.test_warnings, found.transformed_at) == ((), samples.AT)


def test_an_hour_loaded_once_has_no_such_comparison(filled: Filled) -> None:
    filled.complete(NEWEST)
    assert read_quality(filled.view).generations == ()


def test_three_generations_are_two_comparisons_however_the_markers_come(filled: Filled) -> None:
    _build(filled, NEWEST, 3)  # before the marker that it is chained by
    for generation in (3, 1, 2):
        _ingest(filled, NEWEST, generation, views=generation)
        _ = filled.view
    found = read_quality(filled.view).generations
    assert [(each.generation, each.before, each.views, each.views_before) for each in found] == [
        (3, 2, 3, 2),
        (2, 1, 2, 1),
    ]
    assert found[0].transformed_at == samples.AT


def test_a_marker_that_is_gone_is_compared_with_no_more(filled: Filled) -> None:
    for generation in (1, 2, 3):
        _ingest(filled, NEWEST, generation, views=generation)
    _ = filled.view
    filled.journal.delete(keys.marker("ingested", NEWEST, 2))
    (found,) = read_quality(filled.view).generations
    assert (found.generation, found.before, found.views_before) == (3, 1, 1)
    filled.journal.delete(keys.marker("ingested", NEWEST, 1))
    (found,) = read_quality(filled.view).generations
    assert (found.before, found.rows_before, found.control_before) == (None, None, None)


def test_each_list_is_newest_first_within_the_range_and_no_longer_than_asked(filled: Filled) -> None:
    for back in range(4):
        _restate(filled, NEWEST + -back)
        _ingest(filled, NEWEST + -back, 3, control=DIFFERS, rows=LineCounts(lines=4, loaded=3, rejected=1))
        _build(filled, NEWEST + -back, 3, "a_test", "b_test")

    def hours(found: Quality) -> set[tuple[int, ...]]:
        lists = (found.warned, found.rejected, found.control, found.tests)
        return {tuple(each.hour - NEWEST for each in listed) for listed in lists}

    assert hours(read_quality(filled.view)) == {(0, -1, -2, -3)}
    assert hours(read_quality(filled.view, since=NEWEST + -2, until=NEWEST)) == {(-1, -2)}
    found = read_quality(filled.view, limit=1)
    assert hours(found) == {(0,)}
    assert [(each.generation, each.before) for each in found.generations] == [(3, 2)]
    assert (found.rejected[0].lines, found.rejected[0].rejected, found.rejected[0].share) == (4, 1, 0.25)
    assert (found.control[0].control, found.control[0].differing_domains) == ("differs", 2)
    assert found.control[0].largest == DIFFERS.differences
    assert found.tests[0].tests == ("a_test", "b_test")


def test_the_pages_and_the_api_say_it(filled: Filled) -> None:
    _restate(filled, NEWEST)
    with serving(filled) as client:
        quality = client.get("/quality", accept="text/html").text
        hour = client.get(f"/hours/{NEWEST}", accept="text/html").text
        csv = client.get("/api/v1/quality?format=csv&table=generations").text.splitlines()
        (found,) = client.get("/api/v1/quality").json()["generations"]
        outside = client.get(f"/api/v1/quality?until={NEWEST}").json()
    assert "2 after 1" in quality
    for page in (quality, hour):
        assert '12 <span class="muted">(+2)</span>' in page
        assert '40 <span class="muted">(+10)</span>' in page
        assert '0 <span class="muted">(\N{MINUS SIGN}1)</span>' in page
    assert "(was differs)" in quality
    assert (found["views"], found["views_before"]) == (40, 30)
    assert csv[0].startswith("hour,generation,before,rows,rows_before")
    assert len(csv) == 2
    assert outside["generations"] == []
