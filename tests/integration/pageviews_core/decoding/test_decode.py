from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.pageviews_core.decoding.lines import hive_line, lines, rows, spark_line

from pageviews_core.decoding.decode import Decoded, decode
from pageviews_core.decoding.dialect import LONGEST_LINE, Reject, Row, decode_line
from pageviews_core.decoding.quarantine import Rejected, read_quarantine
from pageviews_core.decoding.unpack import Unpacked, odd_lines, unpack
from pageviews_core.errors import ConfigurationError, CountsDiffer

MIB = 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    unpacked: Unpacked
    decoded: Decoded
    rows: list[Row]
    rejected: list[Rejected]


def run(text: bytes, folder: Path, *, rejects_kept: int = 10_000, memory_limit: int = 200 * MIB) -> Outcome:
    gz = folder / "pageviews.gz"
    gz.write_bytes(gzip.compress(text, 1))
    unpacked = unpack(gz, folder / "lines.txt")
    decoded = decode(
        unpacked,
        folder / "pageviews.parquet",
        folder / "quarantine.jsonl",
        memory_limit=memory_limit,
        threads=2,
        temp_folder=folder,
        rejects_kept=rejects_kept,
    )
    with duckdb.connect() as connection:
        found = connection.execute("select * from read_parquet([$1])", [str(decoded.parquet)]).fetchall()
    rejected = list(read_quarantine(decoded.quarantine)) if decoded.quarantine else []
    return Outcome(unpacked, decoded, [Row(*row) for row in found], rejected)


def expected(text: bytes) -> tuple[list[Row], list[Rejected]]:
    """By the reference alone, in the file's order."""
    loaded, rejected, offset = [], [], 0
    for line in text.removesuffix(b"\n").split(b"\n"):
        decoded = decode_line(line)
        if isinstance(decoded, Reject):
            rejected.append(Rejected(offset, line, decoded.reason))
        else:
            loaded.append(decoded)
        offset += len(line) + 1
    return loaded, rejected


def assert_agrees(text: bytes, folder: Path) -> Outcome:
    outcome = run(text, folder)
    loaded, rejected = expected(text)
    odd = [row for line in odd_lines(outcome.unpacked) if isinstance(row := decode_line(line.content), Row)]
    in_order = list(loaded)
    for row in odd:
        in_order.remove(row)
    assert outcome.rows[len(outcome.rows) - len(odd) :] == odd
    assert Counter(outcome.rows[: len(outcome.rows) - len(odd)]) == Counter(in_order)
    assert outcome.rejected == rejected
    decoded = outcome.decoded
    assert (decoded.lines, decoded.rows, decoded.rejected) == (len(loaded) + len(rejected), len(loaded), len(rejected))
    assert decoded.views == sum(row.count_views for row in loaded)
    by_domain: Counter[str] = Counter()
    for row in loaded:
        by_domain[row.domain_code] += row.count_views
    assert decoded.views_by_domain == dict(by_domain)
    assert decoded.rejects_by_reason == dict(Counter(reject.reason.value for reject in rejected))
    return outcome


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, min_size=1, max_size=60), st.booleans())
@example([b""], True)
@example([b"", b"", b"en A 1 0", b""], True)
@example([b"\xef\xbb\xbfen A 1 0"], True)
@example([b"en A 1 0", b"\xef\xbb\xbfen A 1 0"], True)
@example([b"\x1e"], True)
@example([b"en A\0 1 0", b"en \r 1 0", b" \x1f 1 0"], False)
def test_the_engine_and_the_reference_agree_on_any_lines(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], ended: bool
) -> None:
    text = b"\n".join(content) + (b"\n" if ended or not content[-1] else b"")
    assert_agrees(text, tmp_path_factory.mktemp("decode"))


@settings(deadline=None, max_examples=20)
@given(st.lists(rows, min_size=1, max_size=50))
def test_both_dialects_give_the_very_same_rows(tmp_path_factory: pytest.TempPathFactory, content: list[Row]) -> None:
    spark = run(b"".join(spark_line(row) + b"\n" for row in content), tmp_path_factory.mktemp("spark"))
    assert Counter(spark.rows) == Counter(content)
    plain = [row for row in content if '"' not in row.page_title]
    hive = run(b"".join(hive_line(row) + b"\n" for row in [*plain, Row("en", "A", 1)]), tmp_path_factory.mktemp("hive"))
    assert Counter(hive.rows) == Counter([*plain, Row("en", "A", 1)])


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    content = [Row(f"d{number % 1000}", f"Title_{number}", number) for number in range(400_000)]
    outcome = run(b"".join(hive_line(row) + b"\n" for row in content), tmp_path)
    assert outcome.rows == content


def test_bad_lines_among_many_good_ones_are_found_with_their_offsets(tmp_path: Path) -> None:
    good = [b"en Title_%d %d 0" % (number, number) for number in range(150_000)]
    bad = [b"A 1 0", b"en A -1 0", b"en A x 0", b"en A 1 0\r", b"en \xff 1 0", b"", b"en A 9223372036854775808 0"]
    odd = [b"en C\0 1 0", b"en \x1f 5 0", b"en " + b"x" * LONGEST_LINE + b" 1 0"]
    for at, line in enumerate([*bad, *odd, *bad]):
        good.insert(7 + at * 8000, line)
    outcome = assert_agrees(b"\n".join(good) + b"\n", tmp_path)
    assert outcome.decoded.rejected == 2 * len(bad) + 1


def test_a_file_with_crlf_is_rejected_line_by_line(tmp_path: Path) -> None:
    outcome = run(b"en A 1 0\r\n" * 1000, tmp_path)
    assert outcome.rows == []
    assert outcome.decoded.rejects_by_reason == {"not_a_number": 1000}


def test_of_too_many_rejects_only_the_first_are_written(tmp_path: Path) -> None:
    outcome = run(b"en A 1 0\n" * 10 + b"A 1 0\n" * 500, tmp_path, rejects_kept=100)
    assert (outcome.decoded.rejected, len(outcome.rejected)) == (500, 100)
    assert outcome.rejected[0].offset == 90


def test_a_clean_hour_has_no_quarantine(tmp_path: Path) -> None:
    outcome = run(b"en A 1 0\n", tmp_path)
    assert outcome.decoded.quarantine is None
    assert not (tmp_path / "quarantine.jsonl").exists()


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's a [glob]*?"
    folder.mkdir()
    (tmp_path / "it's a gx").mkdir()
    assert run(b"en A 1 0\nen B x 0\n", folder).rows == [Row("en", "A", 1)]


def test_lines_that_were_lost_on_the_way_are_noticed(tmp_path: Path) -> None:
    gz = tmp_path / "pageviews.gz"
    gz.write_bytes(gzip.compress(b"en A 1 0\n" * 10))
    unpacked = unpack(gz, tmp_path / "lines.txt")
    unpacked.text.write_bytes(b"en A 1 0\n" * 9)
    with pytest.raises(CountsDiffer, match="10 lines went into the engine, and 9 came out"):
        decode(
            unpacked,
            tmp_path / "pageviews.parquet",
            tmp_path / "quarantine.jsonl",
            memory_limit=200 * MIB,
            threads=1,
            temp_folder=tmp_path,
            rejects_kept=10,
        )


def test_too_little_memory_names_the_setting(tmp_path: Path) -> None:
    text = b"".join(b"en %s_%d 1 0\n" % (b"T" * 300, number) for number in range(50_000))
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_MEMORY_LIMIT"):
        run(text, tmp_path, memory_limit=MIB)
