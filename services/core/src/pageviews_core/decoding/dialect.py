"""What one line of a pageviews file says: the reference for both of the source's dialects.

A line is `domain_code page_title count_views total_response_size`, one 0x20 between fields. It is split from both
ends, so that a title with spaces stays whole. Which dialect wrote a field is told by the field itself: Spark's CSV
writer quotes a field only if it holds a quote, a space or white space at an edge, or is empty; any other field, one
that merely begins and ends with quotes included, is as Hive wrote it. `dialect_sql` says the same in SQL.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

LONGEST_LINE = 64 * 1024
"""Bytes, without the line feed. Real titles stay under 1 kB."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GREATEST_COUNT = 2**63 - 1

_WELL_QUOTED = re.compile(r'"(?:[^"\\]|\\["\\])*"')
_NEEDS_QUOTES = re.compile(r'["\ ]|\A[\x00-\x20]|[\x00-\x20]\Z|\A\Z')
_ESCAPED = re.compile(r'\\(["\\])')
_NUMBER = re.compile(rb"0|[1-9][0-9]*")
_NEGATIVE = re.compile(rb"-[0-9]+")


class Reason(StrEnum):
    """Why a line is not loaded."""

    BLANK = "blank"
    TOO_LONG = "too_long"
    BYTE_ORDER_MARK = "byte_order_mark"
    NOT_UTF8 = "not_utf8"
    MISSING_FIELD = "missing_field"
    NEGATIVE = "negative"
    NOT_A_NUMBER = "not_a_number"
    OVERFLOW = "overflow"


class Row(NamedTuple):
    domain_code: str
    page_title: str
    count_views: int


class Reject(NamedTuple):
    reason: Reason


def decode_line(line: bytes) -> Row | Reject:
    """`line` comes without its line feed. The response size must be a number, and is then dropped: it means nothing."""
    if len(line) > LONGEST_LINE:
        return Reject(Reason.TOO_LONG)
    if not line.strip(b" \t\r"):
        return Reject(Reason.BLANK)
    if line.startswith(BYTE_ORDER_MARK):
        return Reject(Reason.BYTE_ORDER_MARK)
    try:
        line.decode()
    except UnicodeDecodeError:
        return Reject(Reason.NOT_UTF8)
    fields = _split(line)
    if fields is None:
        return Reject(Reason.MISSING_FIELD)
    domain, title, views, size = fields
    reason = _number_reason(views) or _number_reason(size)
    if reason:
        return Reject(reason)
    return Row(_unquoted(domain.decode()), _unquoted(title.decode()), int(views))


def _split(line: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    domain, _, rest = line.partition(b" ")
    title, *numbers = rest.rsplit(b" ", 2)
    return (domain, title, numbers[0], numbers[1]) if len(numbers) == 2 else None


def _number_reason(text: bytes) -> Reason | None:
    """What keeps `text` from being a count as the source writes it: canonical, decimal, within 64 bits with a sign."""
    if _NUMBER.fullmatch(text):
        # The length first: int() refuses to read thousands of digits.
        return Reason.OVERFLOW if len(text) > 19 or int(text) > GREATEST_COUNT else None
    return Reason.NEGATIVE if _NEGATIVE.fullmatch(text) else Reason.NOT_A_NUMBER


def _unquoted(field: str) -> str:
    if not _WELL_QUOTED.fullmatch(field):
        return field
    inside = field[1:-1]
    return _ESCAPED.sub(r"\1", inside) if _NEEDS_QUOTES.search(inside) else field
