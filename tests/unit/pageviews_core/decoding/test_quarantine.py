from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageviews_core.decoding.dialect import Reason
from pageviews_core.decoding.quarantine import Rejected, encode_reject, read_quarantine


@given(st.lists(st.builds(Rejected, st.integers(0), st.binary(), st.sampled_from(Reason))))
def test_rejected_lines_come_back_byte_for_byte(rejected: list[Rejected]) -> None:
    file = io.BytesIO(b"".join(map(encode_reject, rejected)))
    assert list(read_quarantine(file)) == rejected


def test_each_is_one_json_object_on_a_line() -> None:
    encoded = encode_reject(Rejected(7, b"en A\xff 1 0", Reason.NOT_UTF8))
    assert encoded.endswith(b"\n")
    assert json.loads(encoded) == {"offset": 7, "line_base64": "ZW4gQf8gMSAw", "reason": "not_utf8"}


@pytest.mark.parametrize("text", [b"x\n", b'{"offset": 1, "line_base64": "*", "reason": "blank"}\n'])
def test_anything_else_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(read_quarantine(io.BytesIO(text)))
