from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from pageviews_core.page_key import page_key


def test_a_page_key_is_the_lower_half_of_the_md5_of_project_space_and_title() -> None:
    # `printf 'en.wikipedia Earth' | md5sum` says 9abfd97b27b6a605 d93eb82346bcd261.
    assert page_key("en.wikipedia", "Earth") == 0xD93EB82346BCD261


@given(title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@settings(max_examples=50, deadline=None)
def test_the_warehouse_computes_the_same_key_of_any_title(title: str) -> None:
    text = f"de.wikipedia {title}"
    with duckdb.connect() as db:
        assert db.execute("select cast('0x' || right(md5(?), 16) as ubigint)", [text]).fetchone() == (
            page_key("de.wikipedia", title),
        )
