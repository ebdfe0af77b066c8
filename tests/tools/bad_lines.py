"""Lines that a file should not hold but may, each with what a reader must make of it: load it as it is, or reject it.

All titles begin with `Bad_line:`, which no page of the excerpt does, so none of them collides with a real row.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from random import Random


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line without its LF. `views` is its count where it is to be loaded, None where it is to be rejected."""

    what: str
    line: bytes
    views: int | None = None


BYTE_ORDER_MARK = BadLine("byte order mark at the file's start", b"\xef\xbb\xbfaa Bad_line:after_a_byte_order_mark 1 0")

BAD_LINES = (
    BYTE_ORDER_MARK,
    BadLine("three fields", b"Bad_line:three_fields 7 0"),
    BadLine("one field", b"Bad_line:one_field"),
    BadLine("blank", b""),
    BadLine("only a space", b" "),
    BadLine("negative count", b"en Bad_line:negative_count -3 0"),
    BadLine("count in words", b"en Bad_line:count_in_words three 0"),
    BadLine("count with a fraction", b"en Bad_line:count_with_a_fraction 3.0 0"),
    BadLine("count of 20 digits", b"en Bad_line:count_of_20_digits 99999999999999999999 0"),
    BadLine("count just past 64 bits", b"en Bad_line:count_just_past_64_bits 9223372036854775808 0"),
    BadLine("size in words", b"en Bad_line:size_in_words 3 none"),
    BadLine("byte that is not UTF-8", b"en Bad_line:not_utf8_\xff 3 0"),
    BadLine("Latin-1 title", "de Bad_line:Fran\u00e7ois 3 0".encode("latin-1")),
    BadLine("UTF-8 cut in the middle", b"de Bad_line:cut_\xe2\x82 3 0"),
    BadLine("Windows line end", b"en Bad_line:windows_line_end 3 0\r"),
    BadLine("carriage return inside a title", b"en Bad_line:carriage\rreturn 3 0", views=3),
    BadLine("NUL inside a title", b"en Bad_line:a\x00b 2 0", views=2),
    BadLine("byte order mark inside a title", b"en Bad_line:\xef\xbb\xbf 1 0", views=1),
    BadLine("next line (U+0085) inside a title", b"en Bad_line:next\xc2\x85line 4 0", views=4),
    BadLine("tab inside a title", b"en Bad_line:a\tb 5 0", views=5),
)


@dataclass(frozen=True, slots=True)
class MixedFile:
    """A file with bad lines in it: of them `rejected` cannot be loaded, `loadable` can, and bring `views` views."""

    pageviews_gz: bytes
    rejected: int
    loadable: int
    views: int


@lru_cache(maxsize=2)
def mix_in(pageviews_gz: bytes, bad_lines: tuple[BadLine, ...] = BAD_LINES) -> MixedFile:
    """The file with the bad lines at places that look random but are always the same; a byte order mark comes first."""
    lines = gzip.decompress(pageviews_gz).split(b"\n")[:-1]
    chance = Random("bad lines")
    for bad in bad_lines:
        if bad is not BYTE_ORDER_MARK:
            lines.insert(chance.randrange(1, len(lines) + 1), bad.line)
    if BYTE_ORDER_MARK in bad_lines:
        lines.insert(0, BYTE_ORDER_MARK.line)
    text = b"".join(line + b"\n" for line in lines)
    return MixedFile(
        gzip.compress(text, 1, mtime=0), rejected_of(bad_lines), loadable_of(bad_lines), views_of(bad_lines)
    )


def rejected_of(bad_lines: Iterable[BadLine]) -> int:
    return sum(bad.views is None for bad in bad_lines)


def loadable_of(bad_lines: Iterable[BadLine]) -> int:
    return sum(bad.views is not None for bad in bad_lines)


def views_of(bad_lines: Iterable[BadLine]) -> int:
    return sum(bad.views or 0 for bad in bad_lines)
