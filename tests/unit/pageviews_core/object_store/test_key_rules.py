from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageviews_core.object_store.key_rules import MAX_KEY_BYTES, check_key, is_part


@pytest.mark.parametrize("key", ["a", "markers/ingested/2026/11/20/09/1.json", "é/\U0001f600", "a b", "x" * 255])
def test_plain_relative_keys_are_accepted(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "/", "a/", "/a", "a//b", ".", "a/..", ".a", "a/.b", "a\\b", "a\0", "\udcff"])
def test_keys_that_could_leave_the_folder_or_hide_in_it_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        check_key(key)


def test_a_key_may_have_as_many_bytes_as_s3_allows() -> None:
    key = "/".join(["k" * 204] * 5)
    assert len(key) == MAX_KEY_BYTES
    check_key(key)
    with pytest.raises(ValueError, match="at most 1024 bytes"):
        check_key(key + "k")


@given(st.text(max_size=300))
def test_a_part_is_accepted_only_where_it_survives_as_a_file_name(name: str) -> None:
    try:
        fits = 0 < len(name.encode()) <= 255
    except UnicodeEncodeError:
        fits = False
    assert is_part(name) == (fits and not name.startswith(".") and not set(name) & set("/\\\0"))
