from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_api.pages.charts import Mark, line_chart, nice_ceiling, share_bar, sparkline, timeline

VALUES = st.lists(st.none() | st.integers(0, 10**9), max_size=40)


def lines(svg: str) -> list[str]:
    return re.findall(r'points="([^"]*)"', svg)


def test_a_missing_value_is_a_gap_and_never_zero() -> None:
    svg = sparkline((1, 2, None, 4, 5), "x")
    assert [len(points.split()) for points in lines(svg)] == [2, 2]
    assert "dot" in sparkline((None, 3, None), "x")
    assert lines(sparkline((None, None), "x")) == []


@given(VALUES)
def test_every_known_value_is_drawn_once(values: list[int | None]) -> None:
    svg = line_chart([("a", values)], "t", unit="views", first="f", last="l", with_median=True)
    ElementTree.fromstring(svg)
    drawn = sum(len(points.split()) for points in lines(svg)) + svg.count("<circle")
    assert drawn == sum(value is not None for value in values)
    assert "style=" not in svg


@pytest.mark.parametrize(("value", "ceiling"), [(0, 1), (1, 1), (1.1, 2), (2.3, 2.5), (37, 50), (99, 100), (101, 200)])
def test_axes_end_at_a_round_number(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == ceiling


def test_lines_are_told_apart_by_name() -> None:
    two = line_chart([("desktop", (1, 2)), ("mobile", (2, 3))], "t", unit="views", first="f", last="l")
    assert two.count(">desktop<") == two.count(">mobile<") == 2  # in the legend, and for a pointer
    assert line_chart([("a", (1, 2))], "t", unit="u", first="f", last="l").count(">a<") == 1


def test_names_are_text() -> None:
    hostile = '"><script>'
    for svg in (
        sparkline((1,), hostile),
        line_chart([(hostile, (1, 2))], hostile, unit=hostile, first=hostile, last=hostile, marks=[Mark(0, hostile)]),
        share_bar([("complete", 1)], hostile),
        timeline([(hostile, 0, 1, "good")], hostile),
    ):
        assert "<script" not in svg
        ElementTree.fromstring(svg)
