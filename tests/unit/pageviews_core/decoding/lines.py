"""Pageviews lines as the producer's two writers leave them, and spoiled ones, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from pageviews_core.decoding.dialect import Row

_WHITE_SPACE = "".join(map(chr, range(0x21)))

domains = st.one_of(
    st.sampled_from(["en", "en.m", "commons.m.m", "de.zero", "aa.d", "www.wd", "zh-min-nan"]),
    st.text("abcdefghij.-", min_size=1, max_size=12),
)
titles = st.one_of(
    st.sampled_from(
        ['"Weird_Al"_Yankovic', "AC\\DC", '"Heroes"', "-", "a\u00a0b", "\U0001f600", "100%25", 'x\\"y', '"', '""', "\\"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\x1f"), max_size=20),
    st.text('"\\ ab\t\u00e9', max_size=8),
)
counts = st.one_of(st.integers(0, 2000), st.integers(0, 2**63 - 1))
rows = st.builds(Row, domains, titles, counts)


def spark_field(text: str) -> str:
    """A field as Spark's CSV writer leaves it with a space as separator and a backslash as escape."""
    at_edge = text[:1] in _WHITE_SPACE or text[-1:] in _WHITE_SPACE
    if text and not at_edge and '"' not in text and " " not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def spark_line(row: Row) -> bytes:
    return f"{spark_field(row.domain_code)} {spark_field(row.page_title)} {row.count_views} 0".encode()


def hive_line(row: Row) -> bytes:
    return f"{row.domain_code} {row.page_title} {row.count_views} 0".encode()


def is_ambiguous_in_hive(title: str) -> bool:
    """Whether the raw title happens to read as one that Spark would have quoted; none does in the real hour."""
    return len(title) > 1 and title[0] == title[-1] == '"' and spark_field(_unescaped(title)) == title


def _unescaped(title: str) -> str:
    return title[1:-1].replace('\\"', '"').replace("\\\\", "\\")


_SPOILERS = st.sampled_from(
    [b"\r", b"\0", b"\x1f", b'"', b"\\", b" ", b"\t", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\xa0"]
) | st.sampled_from(
    [b"-", b"+", b"_", b".", b"e1", b"0", b"9" * 19, b"\xd9\xa1", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8"]
)


@st.composite
def _spoiled(draw: st.DrawFn) -> bytes:
    line = draw(st.one_of(rows.map(hive_line), rows.map(spark_line)))
    for _ in range(draw(st.integers(1, 3))):
        # Mostly near an end: that is where the numbers and the mark of byte order are.
        at = draw(st.one_of(st.integers(0, len(line)), st.integers(max(0, len(line) - 5), len(line)), st.just(0)))
        removed = draw(st.integers(0, 2))
        line = line[:at] + draw(_SPOILERS) + line[at + removed :]
    return line


_numbers = st.sampled_from(
    ["0", "7", "-1", "-0", "+1", "007", "1_000", "1e2", "1.0", " 1", "", "x", "NULL", "0x10", "1e400", "9" * 40]
) | st.sampled_from([str(2**63 - 1), str(2**63), "\u0663", "-9223372036854775809", "18446744073709551616"])
_odd_numbers = st.builds(lambda views, size: f"en Title {views} {size}".encode(), _numbers, _numbers)
_short = st.lists(st.sampled_from(["en", "T", "1", "0", "", '""', '"a', 'b"']), max_size=6).map(
    lambda fields: " ".join(fields).encode()
)
lines = st.one_of(
    rows.map(hive_line), rows.map(spark_line), _spoiled(), _odd_numbers, _short, st.binary(max_size=30)
).filter(lambda line: b"\n" not in line)
