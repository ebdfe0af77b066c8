from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_api.queries.answers import BadCursor
from status_api.queries.cursors import cursor_after, position_of

POSITIONS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ-:", max_size=26)
"""Ids, hours and times."""


@given(st.text(max_size=60), st.lists(POSITIONS, min_size=1, max_size=3))
def test_a_cursor_says_where_its_own_question_goes_on(question: str, position: list[str]) -> None:
    assert position_of(question, cursor_after(question, *position)) == position


@pytest.mark.parametrize("text", ["", "x", "=", "W10", "bm90IGpzb24", "e30", "é", "A" * 501])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadCursor, match="begin without one"):
        position_of(["runs"], text)


def test_the_cursor_of_another_question_is_refused() -> None:
    with pytest.raises(BadCursor, match="another question"):
        position_of(["runs", "failed"], cursor_after(["runs", None], "x"))
