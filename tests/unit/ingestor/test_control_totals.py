from __future__ import annotations

from ingestor.control_totals import compare
from pageviews_core.records.marker import ControlDifference


def test_equal_sums_match() -> None:
    totals = compare(b'"" - 4 0\nen - 10 0\nen.m - 5 0\n', {"": 4, "en": 10, "en.m": 5})
    assert (totals.state, totals.expected_views, totals.differing_domains) == ("matched", 19, 0)


def test_the_older_dialect_leaves_the_null_domain_empty() -> None:
    assert compare(b" - 4 0\nen - 10 0\n", {"": 4, "en": 10}).state == "matched"


def test_differences_are_told_largest_first() -> None:
    totals = compare(b"de - 1 0\nen - 10 0\nfr - 3 0\n", {"en": 110, "fr": 3, "it": 2})
    assert totals.state == "differs"
    assert totals.differing_domains == 3
    assert totals.differences == (
        ControlDifference(domain_code="en", expected=10, found=110),
        ControlDifference(domain_code="it", expected=None, found=2),
        ControlDifference(domain_code="de", expected=1, found=None),
    )


def test_only_the_largest_differences_are_kept() -> None:
    totals = compare(b"en - 1 0\n", {f"d{number}": number for number in range(1, 500)} | {"en": 1})
    assert totals.differing_domains == 499
    assert len(totals.differences) == 50
    assert totals.differences[0].found == 499


def test_a_file_that_is_no_control_file_is_unavailable_and_says_where() -> None:
    for content, says in [
        (b"<html>\n", "line 1 (missing_field)"),
        (b"en - 1 0\nen Main_Page 1 0\n", "line 2"),
        (b"en - 1 0\nen - 2 0\n", "line 2"),
        (b"", "blank"),
        (b"\x1f\x8b\xff", "not_utf8"),
    ]:
        totals = compare(content, {"en": 1})
        assert totals.state == "unavailable"
        assert says in (totals.reason or "")
