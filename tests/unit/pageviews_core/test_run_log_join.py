from __future__ import annotations

import gzip
import json
import zlib
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core.errors import StoreUnavailable, UnknownSchemaVersion
from pageviews_core.run_log_join import MEMBER_BYTES, index_key, join_segments, joined_key, segment_key

PREFIX = "runs/2026/11/20/01KAF3Z9M0000000000000000"


def _stored(*segments: bytes) -> InMemoryObjectStore:
    store = InMemoryObjectStore()
    for number, segment in enumerate(segments, start=1):
        store.create(segment_key(PREFIX, number), segment)
    return store


def test_the_joined_log_is_the_segments_in_order() -> None:
    segments = [f"{number}\n".encode() for number in range(1, 1200)]
    store = _stored(*segments)
    join_segments(store, PREFIX)
    assert gzip.decompress(store.get(joined_key(PREFIX))[0]) == b"".join(segments)
    assert store.all_keys() == (index_key(PREFIX), joined_key(PREFIX))


def test_every_thousandth_line_can_be_found() -> None:
    lines = [f'{{"number": {number}}}\n'.encode() for number in range(2500)]
    store = _stored(b"".join(lines[:1700]), b"".join(lines[1700:]))
    index = join_segments(store, PREFIX)
    assert index is not None
    starts = [0, *accumulate(map(len, lines))]
    assert index.line_offsets == (starts[0], starts[1000], starts[2000])
    assert (index.lines, index.bytes) == (2500, starts[-1])


def test_every_member_can_be_read_by_itself_from_its_offset() -> None:
    lines = [json.dumps({"number": number, "padding": "x" * 500}).encode() + b"\n" for number in range(6000)]
    store = _stored(b"".join(lines[:10]), b"".join(lines[10:]))
    index = join_segments(store, PREFIX)
    assert index is not None
    assert len(index.members) == -(-index.bytes // MEMBER_BYTES)
    whole = b"".join(lines)
    for member in index.members:
        with store.open(joined_key(PREFIX), offset=member.compressed_offset) as stream:
            piece = zlib.decompressobj(wbits=31).decompress(stream.read())
        assert whole[member.offset :].startswith(piece)
        assert piece.startswith(lines[member.line])


def test_lines_that_are_no_events_are_kept_and_counted() -> None:
    odd = [b"plain text\n", b"[1]\n", b"\xff\xfe\n", b"\n", b'{"level": 3, "step": null, "time": "soon"}\n', b'{"a": 1']
    index = join_segments(_stored(b"".join(odd)), PREFIX)
    assert index is not None
    assert (index.lines, index.unparsed, index.levels, index.steps) == (6, 5, {}, {})
    assert (index.first_at, index.last_at) == (None, None)


def test_a_run_without_a_log_has_nothing_to_join() -> None:
    store = _stored()
    assert join_segments(store, PREFIX) is None
    assert store.all_keys() == ()


@pytest.mark.parametrize("stopped_before", range(8))
def test_a_join_that_was_cut_off_anywhere_is_completed_by_the_next(stopped_before: int) -> None:
    segments = [b'{"level": "info"}\n' * 3, b'{"level": "error"}\n', b'{"level": "info"}\n']
    store = _stored(*segments)
    done = 0

    def stop(verb: str, key: str) -> None:
        nonlocal done
        if verb in ("put", "delete"):
            done += 1
        if done > stopped_before:
            raise StoreUnavailable("killed")

    store.before = stop
    if stopped_before < 5:
        with pytest.raises(StoreUnavailable):
            join_segments(store, PREFIX)
    else:
        join_segments(store, PREFIX)
    store.before = no_fault
    index = join_segments(store, PREFIX)
    assert index is not None
    assert index.levels == {"info": 4, "error": 1}
    assert gzip.decompress(store.get(joined_key(PREFIX))[0]) == b"".join(segments)
    assert store.all_keys() == (index_key(PREFIX), joined_key(PREFIX))


def test_an_index_of_another_version_stops_the_join_and_keeps_the_segments() -> None:
    store = _stored(b"{}\n")
    store.put(index_key(PREFIX), b'{"schema_version": 2}')
    with pytest.raises(UnknownSchemaVersion):
        join_segments(store, PREFIX)
    assert segment_key(PREFIX, 1) in store.all_keys()


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" ") + b"\n"), max_size=40))
def test_any_lines_come_back_as_they_were(lines: list[bytes]) -> None:
    store = _stored(*(b"".join(lines[at : at + 7]) for at in range(0, len(lines), 7)))
    index = join_segments(store, PREFIX)
    if lines:
        assert index is not None
        assert index.lines == len(lines)
        assert gzip.decompress(store.get(joined_key(PREFIX))[0]) == b"".join(lines)
