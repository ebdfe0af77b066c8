"""From the compressed file to plain lines that DuckDB's CSV reader takes as they are, and the odd ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import NamedTuple

from pageviews_core.decoding.dialect import BYTE_ORDER_MARK, LONGEST_LINE
from pageviews_core.decoding.dialect_sql import DELIMITER
from pageviews_core.decoding.gunzip import gunzip
from pageviews_core.decoding.scratch import writing
from pageviews_core.errors import SourceCorrupt

_MISREAD = (b"\r", b"\0", DELIMITER)
"""Bytes at which the CSV reader would split a line, or stop."""
_STRIDE = LONGEST_LINE // 2
_LONGEST_HELD = 16 * 1024 * 1024
"""Bytes. A "line" longer than this is no line; it would have to be held in memory whole."""


class Line(NamedTuple):
    offset: int
    """Of its first byte in the decompressed file."""
    content: bytes
    """Without the line feed."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`lines` = clean_lines + odd_lines: line feeds, and one more for a last line without one."""

    text: Path
    """The clean lines, each with its line feed, in the file's order."""
    odd: Path
    """The others; `odd_lines` reads it."""
    lines: int
    odd_lines: int
    bytes: int
    """Of the decompressed file."""

    @property
    def clean_lines(self) -> int:
        return self.lines - self.odd_lines


def unpack(gz: Path, text: Path) -> Unpacked:
    """Writes the clean lines to `text` and the odd ones beside it, in constant memory.

    Raises SourceCorrupt for a damaged file, for one without a line, and for one whose "lines" have no end.
    """
    odd = text.with_name(f"{text.name}.odd")
    with writing(text), text.open("wb") as text_file, odd.open("wb") as odd_file:
        sorter = _Sorter(text_file, odd_file)
        rest = b""
        for block in gunzip(gz):
            cut = block.rfind(b"\n") + 1
            if cut:
                sorter.take(rest + block[:cut])
                rest = block[cut:]
            else:
                rest += block
            if len(rest) > _LONGEST_HELD:
                raise SourceCorrupt(
                    f"{gz.name} is no pageviews file: from byte {sorter.bytes} of its text on there is no line feed "
                    f"for {len(rest)} bytes; it begins {rest[:80]!r}"
                )
        if rest:
            sorter.set_apart(rest)
        if not sorter.lines:
            raise SourceCorrupt(f"{gz.name} is a valid gzip file without a single line")
    return Unpacked(text, odd, sorter.lines, sorter.odd_lines, sorter.bytes)


def odd_lines(unpacked: Unpacked) -> Iterator[Line]:
    """The lines set apart, by offset."""
    with unpacked.odd.open("rb") as file:
        for record in file:
            offset, content = record.split(b" ")
            yield Line(int(offset), bytes.fromhex(content.decode()))


class _Sorter:
    """Tells clean lines from odd ones: whole blocks at the speed of C, lines only in a block that has an odd one."""

    def __init__(self, text: BufferedWriter, odd: BufferedWriter) -> None:
        self._text = text
        self._odd = odd
        self.bytes = 0
        self.lines = 0
        self.odd_lines = 0

    def take(self, block: bytes) -> None:
        """Lines that all end in a line feed."""
        if _is_clean(block) and not (self.bytes == 0 and block.startswith(BYTE_ORDER_MARK)):
            self._text.write(block)
            self.bytes += len(block)
            self.lines += block.count(b"\n")
            return
        for line in block[:-1].split(b"\n"):
            if line.startswith(BYTE_ORDER_MARK) or len(line) > LONGEST_LINE or not _is_readable(line):
                self.set_apart(line)
                self.bytes += 1
            else:
                self._text.write(line + b"\n")
                self.bytes += len(line) + 1
                self.lines += 1

    def set_apart(self, line: bytes) -> None:
        # In hexadecimal, since it may hold any byte.
        self._odd.write(b"%d %s\n" % (self.bytes, line.hex().encode()))
        self.bytes += len(line)
        self.lines += 1
        self.odd_lines += 1


def _is_clean(block: bytes) -> bool:
    # A line of more than LONGEST_LINE bytes covers a whole stride, so that no line need be measured.
    strides = range(0, len(block) - _STRIDE, _STRIDE)
    return all(block.find(b"\n", start, start + _STRIDE) >= 0 for start in strides) and _is_readable(block)


def _is_readable(text: bytes) -> bool:
    if any(byte in text for byte in _MISREAD):
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
