from __future__ import annotations

import gzip
from pathlib import Path

from pageviews_core.decoding.dialect import Reason
from pageviews_core.decoding.quarantine import Rejected
from pageviews_core.decoding.rejects import rejected_lines
from pageviews_core.decoding.unpack import Unpacked, unpack


def unpacked(content: list[bytes], folder: Path) -> Unpacked:
    gz = folder / "pageviews.gz"
    gz.write_bytes(gzip.compress(b"\n".join(content) + b"\n"))
    return unpack(gz, folder / "lines.txt")


def test_rejects_of_both_kinds_come_by_their_offset_in_the_file(tmp_path: Path) -> None:
    found = unpacked([b"en \xff 1 0", b"A 1 0", b"en A\0 1 0", b"en A 1 0", b"en A x 0", b"en \xff 2 0"], tmp_path)
    assert list(rejected_lines(found, clean=True)) == [
        Rejected(0, b"en \xff 1 0", Reason.NOT_UTF8),
        Rejected(9, b"A 1 0", Reason.MISSING_FIELD),
        Rejected(34, b"en A x 0", Reason.NOT_A_NUMBER),
        Rejected(43, b"en \xff 2 0", Reason.NOT_UTF8),
    ]


def test_the_clean_lines_are_left_alone_where_none_of_them_was_rejected(tmp_path: Path) -> None:
    found = unpacked([b"A 1 0", b"en \xff 1 0"], tmp_path)
    assert [reject.offset for reject in rejected_lines(found, clean=False)] == [6]


def test_offsets_hold_over_many_blocks(tmp_path: Path) -> None:
    content = [b"en Title_%d 1 0" % number for number in range(200_000)]
    offsets = {}
    for at in range(5, len(content), 30_011):
        content[at] = b"en Odd\r_%d 1 0" % at
        content[at + 100] = b"en Bad_%d 1 x" % at
        content[at + 101] = b"en Huge_%d 1 999999999999999999999" % at
        content[at + 102] = b"en Fits_%d 999999999999999999 0" % at
        content[at + 103] = b"en Fits_%d 9223372036854775807 0" % at
        offsets[at] = (at + 100, at + 101)
    text = b"\n".join(content) + b"\n"
    found = list(rejected_lines(unpacked(content, tmp_path), clean=True))
    assert len(found) == 2 * len(offsets)
    assert all(text[reject.offset :].startswith(reject.line + b"\n") for reject in found)
