"""Reads the bundled excerpt of one real hour (see tests/data/README.md)."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from pageviews_core.hour import Hour
from tests.tools.dialects import Row, read_hive

EXCERPT_HOUR = Hour.parse("2018-02-19T09")
EXCERPT_FILE = Path(__file__).parents[1] / "data" / "pageviews-20180219-100000.excerpt.gz"


@cache
def excerpt_rows() -> tuple[Row, ...]:
    """The excerpt's rows in the source's order, so grouped by domain; read once a process."""
    with gzip.open(EXCERPT_FILE) as lines:
        return tuple(map(read_hive, lines))
