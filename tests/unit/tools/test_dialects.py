import gzip
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools import dialects
from tests.tools.dialects import Row, dialect_of, hive_line, read_hive, spark_line, to_spark

from pageviews_core.hour import Hour

_FIELD = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ "]+)', re.DOTALL)

names = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])).map(str.encode)
counts = st.integers(0, 2**63 - 1)
rows = st.builds(Row, names, names, counts, counts)


def read_spark(line: bytes) -> Row:
    """What a reader of Spark's own rules makes of a line: quoted fields lose their escapes, others stay as they are."""
    fields, at = [], 0
    while at < len(line) - 1:
        match = _FIELD.match(line, at)
        assert match is not None
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted))
        at = match.end() + 1
    domain, title, views, size = fields
    return Row(domain, title, int(views), int(size))


@pytest.mark.parametrize(
    ("title", "field"),
    [
        (b'"Weird_Al"_X', rb'"\"Weird_Al\"_X"'),
        (rb"AC\DC", rb"AC\DC"),
        (rb'A"b\c', rb'"A\"b\\c"'),
        (b"", b'""'),
        (b"two words", b'"two words"'),
        (b"\tindented", b'"\tindented"'),
        (b"a\tb", b"a\tb"),
        (b'"300"', rb'"\"300\""'),
        ("no-break\u00a0space".encode(), "no-break\u00a0space".encode()),
        (b"100%25_\xf0\x9f\x98\x80", b"100%25_\xf0\x9f\x98\x80"),
    ],
)
def test_spark_quotes_a_title_only_when_it_must(title: bytes, field: bytes) -> None:
    assert spark_line(Row(b"en", title, 17)) == b"en " + field + b" 17 0\n"


def test_a_null_domain_is_two_quotes_in_spark_and_a_missing_field_in_hive() -> None:
    row = Row(b"", b"Z801", 6)
    assert spark_line(row) == b'"" Z801 6 0\n'
    assert hive_line(row) == b"Z801 6 0\n"
    assert list(to_spark([b"Z801 6 0\n"])) == [b'"" Z801 6 0\n']


def test_hive_writes_titles_as_they_are() -> None:
    assert hive_line(Row(b"en", b'"A\\b"', 3)) == b'en "A\\b" 3 0\n'


def test_an_empty_hive_title_becomes_two_quotes() -> None:
    assert list(to_spark([b"en  5 0\n"])) == [b'en "" 5 0\n']


@given(rows)
def test_a_spark_line_says_what_its_row_says(row: Row) -> None:
    assert read_spark(spark_line(row)) == row


@given(rows.filter(lambda row: row.domain_code and b" " not in row.domain_code))
def test_a_hive_line_converts_to_the_spark_line_of_the_same_row(row: Row) -> None:
    assert read_hive(hive_line(row)) == row
    assert list(to_spark([hive_line(row)])) == [spark_line(row)]


@pytest.mark.parametrize("line", [b"\n", b"en Main_Page\n", b"en Main_Page -1 0\n", b"en Main_Page 1 0\r\n"])
def test_a_line_that_hive_cannot_have_written_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="two numbers"):
        list(to_spark([line]))


def test_the_dialect_changes_in_february_2023() -> None:
    assert dialect_of(Hour.parse("2023-02-08T23")) is hive_line
    assert dialect_of(Hour.parse("2023-02-09T00")) is spark_line


def test_the_command_converts_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hive, spark = tmp_path / "hive.gz", tmp_path / "spark.gz"
    hive.write_bytes(gzip.compress(b'en "300" 1 0\nen Main_Page 5 0\n'))
    monkeypatch.setattr(sys, "argv", ["dialects", str(hive), str(spark)])
    dialects.main()
    assert gzip.decompress(spark.read_bytes()) == b'en "\\"300\\"" 1 0\nen Main_Page 5 0\n'
