"""The two ways in which the producer has written its lines, from the producer's side.

Hive (until about 2023-02-09) joined the fields by a space and escaped nothing; a null field is simply missing.
Spark's CSV writer (since) has separator space, quote `"` and escape `\\`: it quotes a field that is empty or null, or
that holds a quote or a space, or that begins or ends with white space (any character up to U+0020), and inside the
quotes puts a backslash before each quote and each backslash. An unquoted field is never escaped.

This is independent of the product's decoder on purpose: it is what that decoder is tested against.

    python -m tests.tools.dialects HIVE.gz SPARK.gz        rewrites a whole file in the newer dialect
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pageviews_core.hour import Hour

SPARK_SINCE = Hour(datetime(2023, 2, 9, tzinfo=UTC))

# Most lines by far: nothing in them that either writer treats specially.
_ALIKE_IN_BOTH = re.compile(rb'[^ "\x00-\x1f]+ [^ "\x00-\x1f]+ [0-9]+ [0-9]+\n').fullmatch
_NUMBERS_AT_THE_END = re.compile(rb"(.*) ([0-9]+) ([0-9]+)\n?", re.DOTALL)
_NEEDS_QUOTES = re.compile(rb'[" ]|\A[\x00-\x20]|[\x00-\x20]\Z').search
_ESCAPED_IN_QUOTES = re.compile(rb'["\\]')


class Row(NamedTuple):
    """One line's meaning. Domain and title are UTF-8, as the producer holds them; a null domain is empty here."""

    domain_code: bytes
    page_title: bytes
    count_views: int
    total_response_size: int = 0


Dialect = Callable[[Row], bytes]


def hive_line(row: Row) -> bytes:
    """The row as Hive wrote it, with its LF; a null domain is left out, so that three fields remain."""
    domain, title, views, size = row
    fields = b"%s %d %d\n" % (title, views, size)
    return b"%s %s" % (domain, fields) if domain else fields


def spark_line(row: Row) -> bytes:
    """The row as Spark's CSV writer writes it, with its LF."""
    domain, title, views, size = row
    return b"%s %s %d %d\n" % (_spark_field(domain), _spark_field(title), views, size)


def dialect_of(hour: Hour) -> Dialect:
    """The writer in use when the hour was published."""
    return spark_line if hour >= SPARK_SINCE else hive_line


def read_hive(line: bytes) -> Row:
    """What a Hive line says. Raises ValueError where Hive cannot have written it."""
    numbers = _NUMBERS_AT_THE_END.fullmatch(line)
    if numbers is None:
        raise ValueError(f"does not end in two numbers: {line!r}")
    names, views, size = numbers.groups()
    domain, space, title = names.partition(b" ")
    return Row(domain, title, int(views), int(size)) if space else Row(b"", domain, int(views), int(size))


def to_spark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Hive lines, each with its LF, as Spark would have written them. Raises ValueError where Hive cannot have."""
    for line in lines:
        yield line if _ALIKE_IN_BOTH(line) else spark_line(read_hive(line))


def _spark_field(value: bytes) -> bytes:
    if value and not _NEEDS_QUOTES(value):
        return value
    return b'"%s"' % _ESCAPED_IN_QUOTES.sub(rb"\\\g<0>", value)


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite a file of the older (Hive) dialect in the newer one (Spark).")
    parser.add_argument("hive", type=Path)
    parser.add_argument("spark", type=Path)
    arguments = parser.parse_args()
    with gzip.open(arguments.hive) as source, gzip.open(arguments.spark, "wb", compresslevel=6) as target:
        target.writelines(to_spark(source))


if __name__ == "__main__":
    main()
