from __future__ import annotations

import pytest
from hypothesis import assume, given
from tests.unit.pageviews_core.decoding.lines import hive_line, is_ambiguous_in_hive, lines, rows, spark_line

from pageviews_core.decoding.dialect import LONGEST_LINE, Reason, Reject, Row, decode_line


@given(rows)
def test_what_spark_writes_comes_back(row: Row) -> None:
    assert decode_line(spark_line(row)) == row


@given(rows)
def test_what_hive_writes_comes_back_unless_it_reads_as_quoted(row: Row) -> None:
    assume(not is_ambiguous_in_hive(row.page_title))
    assert decode_line(hive_line(row)) == row


@given(lines)
def test_any_bytes_are_a_row_or_a_reject(line: bytes) -> None:
    assert isinstance(decode_line(line), Row | Reject)


@pytest.mark.parametrize(
    ("field", "title"),
    [
        (r'"\"Weird_Al\"_X"', '"Weird_Al"_X'),
        ('"Weird_Al"_X', '"Weird_Al"_X'),
        ('"Heroes"', '"Heroes"'),
        (r"AC\DC", r"AC\DC"),
        (r'"A\"b\\c"', r'A"b\c'),
        ('"two words"', "two words"),
        ("two words", "two words"),
        ('"\ttab"', "\ttab"),
        ('""', ""),
        ("", ""),
        ('"', '"'),
        (r'"\\"', r'"\\"'),
        (r'"\""', '"'),
        (r'"open\"', r'"open\"'),
        ("a\u00a0b\u2028c\u0085", "a\u00a0b\u2028c\u0085"),
        ("%C3%A9", "%C3%A9"),
        ("\ufeffx", "\ufeffx"),
        ("cr\rin", "cr\rin"),
        ("nul\0in", "nul\0in"),
    ],
)
def test_titles_of_both_dialects(field: str, title: str) -> None:
    assert decode_line(f"en {field} 12 0".encode()) == Row("en", title, 12)


def test_the_quoted_empty_domain_is_the_empty_one() -> None:
    assert decode_line(b'"" Z801 3 0') == Row("", "Z801", 3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", Reason.BLANK),
        (b"  \r", Reason.BLANK),
        (b"\xef\xbb\xbfen A 1 0", Reason.BYTE_ORDER_MARK),
        (b"en A\xff 1 0", Reason.NOT_UTF8),
        (b"en \xed\xa0\x80 1 0", Reason.NOT_UTF8),
        (b"A 1 0", Reason.MISSING_FIELD),
        (b"en", Reason.MISSING_FIELD),
        (b"en A -1 0", Reason.NEGATIVE),
        (b"en A 1 -5", Reason.NEGATIVE),
        (b"en A x 0", Reason.NOT_A_NUMBER),
        (b"en A 1 0\r", Reason.NOT_A_NUMBER),
        (b"en A 007 0", Reason.NOT_A_NUMBER),
        (b"en A +7 0", Reason.NOT_A_NUMBER),
        (b"en A 1_000 0", Reason.NOT_A_NUMBER),
        (b"en A  0", Reason.NOT_A_NUMBER),
        ("en A ٣ 0".encode(), Reason.NOT_A_NUMBER),
        (b"en A 9223372036854775808 0", Reason.OVERFLOW),
        (b"en A 1 9223372036854775808", Reason.OVERFLOW),
        (b"en A " + b"9" * 5000 + b" 0", Reason.OVERFLOW),
        (b"en " + b"x" * LONGEST_LINE + b" 1 0", Reason.TOO_LONG),
    ],
)
def test_what_is_no_row_has_a_reason(line: bytes, reason: Reason) -> None:
    assert decode_line(line) == Reject(reason)


def test_the_greatest_count_fits() -> None:
    assert decode_line(b"en A 9223372036854775807 0") == Row("en", "A", 2**63 - 1)
