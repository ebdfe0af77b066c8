from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pageviews_core.decoding.lines import lines

from pageviews_core.decoding.dialect import LONGEST_LINE
from pageviews_core.decoding.unpack import Line, Unpacked, odd_lines, unpack
from pageviews_core.errors import ConfigurationError, SourceCorrupt


def unpacked(text: bytes, folder: Path) -> Unpacked:
    gz = folder / "pageviews.gz"
    gz.write_bytes(gzip.compress(text, 1))
    return unpack(gz, folder / "lines.txt")


def test_a_clean_file_goes_through_as_it_is(tmp_path: Path) -> None:
    text = b"".join(b"en Title_%d 1 0\n" % number for number in range(300_000))
    found = unpacked(text, tmp_path)
    assert found.text.read_bytes() == text
    assert (found.lines, found.odd_lines, found.bytes) == (300_000, 0, len(text))


@pytest.mark.parametrize(
    "odd", [b"en A\r 1 0", b"en A\0 1 0", b"en A\x1f 1 0", b"en A\xff 1 0", b"en " + b"x" * LONGEST_LINE + b" 1 0"]
)
def test_what_the_csv_reader_would_misread_is_set_apart(tmp_path: Path, odd: bytes) -> None:
    found = unpacked(b"en B 1 0\n" + odd + b"\nen C 1 0\n", tmp_path)
    assert found.text.read_bytes() == b"en B 1 0\nen C 1 0\n"
    assert list(odd_lines(found)) == [Line(9, odd)]
    assert (found.lines, found.clean_lines) == (3, 2)


def test_a_byte_order_mark_is_set_apart_where_the_reader_would_eat_it(tmp_path: Path) -> None:
    found = unpacked(b"\xef\xbb\xbfen A 1 0\nen B 1 0\n", tmp_path)
    assert list(odd_lines(found)) == [Line(0, b"\xef\xbb\xbfen A 1 0")]


def test_a_last_line_without_a_line_feed_counts_as_a_line(tmp_path: Path) -> None:
    found = unpacked(b"en A 1 0\nen B 1 0", tmp_path)
    assert found.lines == 2
    assert list(odd_lines(found)) == [Line(9, b"en B 1 0")]


def test_line_ends_may_fall_anywhere_in_the_blocks(tmp_path: Path) -> None:
    text = b"".join(b"x" * (number % 4001) + b"\n" for number in range(3000))
    found = unpacked(text, tmp_path)
    assert found.text.read_bytes() == text
    assert found.lines == 3000


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=30), st.booleans())
def test_clean_and_odd_lines_together_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], ended: bool
) -> None:
    text = b"\n".join(content) + (b"\n" if ended or not content[-1] else b"")
    found = unpacked(text, tmp_path_factory.mktemp("unpack"))
    together = found.text.read_bytes().split(b"\n")[:-1] + [line.content for line in odd_lines(found)]
    assert sorted(together) == sorted(content)
    assert all(text[line.offset :].startswith(line.content) for line in odd_lines(found))
    assert (found.lines, found.bytes) == (len(content), len(text))


def test_a_file_without_a_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceCorrupt, match="without a single line"):
        unpacked(b"", tmp_path)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(SourceCorrupt, match="no line feed"):
        unpacked(b"en A 1 0\n" + bytes(40_000_000), tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    gz = tmp_path / "pageviews.gz"
    gz.write_bytes(gzip.compress(b"en A 1 0\n"))
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_SCRATCH_DIR"):
        unpack(gz, tmp_path / "nowhere" / "lines.txt")
