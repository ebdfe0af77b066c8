from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageviews_core.decoding.gunzip import gunzip
from pageviews_core.errors import SourceCorrupt

TEXT = b"".join(b"en Title_%d %d 0\n" % (number, number * 7919) for number in range(200_000))


def text_of(gz: bytes, folder: Path) -> bytes:
    path = folder / "pageviews.gz"
    path.write_bytes(gz)
    return b"".join(gunzip(path))


def test_the_text_comes_in_blocks_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "pageviews.gz"
    path.write_bytes(gzip.compress(bytes(20_000_000)))
    sizes = [len(block) for block in gunzip(path)]
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 100, 128 * 1024 - 1, 128 * 1024])
def test_several_members_are_one_text_wherever_they_meet(tmp_path: Path, size: int) -> None:
    # An extra field pads the first member, so that the second begins at any place of the read buffer.
    first = bytearray(gzip.compress(b"one\n"))
    rest = size
    members = b""
    while rest > 60_000:
        members += gzip.compress(b"", 0)[:3] + b"\x04" + bytes(6) + (60_000).to_bytes(2, "little") + bytes(60_000)
        members += gzip.compress(b"")[10:]
        rest -= 60_000
    padded = bytes(first[:3]) + b"\x04" + bytes(first[4:10]) + rest.to_bytes(2, "little") + bytes(rest)
    members += padded + bytes(first[10:])
    assert text_of(members + gzip.compress(TEXT) + gzip.compress(b"three\n"), tmp_path) == b"one\n" + TEXT + b"three\n"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda gz: b"", "is empty"),
        (lambda gz: gz[:1], "not gzip"),
        (lambda gz: gz[:-1], "truncated"),
        (lambda gz: gz[:-8], "truncated"),
        (lambda gz: gz[: len(gz) // 2], "truncated"),
        (lambda gz: gz[:5], "truncated"),
        (lambda gz: gz[:-8] + bytes([gz[-8] ^ 1]) + gz[-7:], "damaged"),
        (lambda gz: gz[:-1] + bytes([gz[-1] ^ 1]), "damaged"),
        (lambda gz: gz[:1000] + bytes(100) + gz[1100:], "damaged"),
        (lambda gz: gz + b"\n", "goes on at byte"),
        (lambda gz: gz + bytes(100), "goes on at byte"),
        (lambda gz: gz + b"<html>", "<html>"),
        (lambda gz: gz + gz[:100], "truncated"),
        (lambda gz: b"<html>not found</html>", "begins with b'<html>"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, spoil: object, says: str) -> None:
    assert callable(spoil)
    with pytest.raises(SourceCorrupt, match=says):
        text_of(spoil(gzip.compress(TEXT)), tmp_path)


@given(st.data())
def test_no_flipped_bit_of_the_body_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    gz = bytearray(gzip.compress(TEXT[:5000], mtime=0))
    # Not in the header's time, flags for the curious and operating system: they change nothing that is read.
    at = data.draw(st.integers(10, len(gz) - 1))
    gz[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SourceCorrupt):
        text_of(bytes(gz), tmp_path_factory.mktemp("gz"))
