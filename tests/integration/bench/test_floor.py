from __future__ import annotations

from pathlib import Path

from tests.bench.floor import run
from tests.tools.derived_hours import derive_hour
from tests.tools.excerpt import EXCERPT_HOUR


def test_the_floor_does_the_whole_hour(tmp_path: Path) -> None:
    derived = derive_hour(EXCERPT_HOUR, scale=0.2)
    gz = tmp_path / "pageviews.gz"
    gz.write_bytes(derived.pageviews_gz)
    found = run(gz, tmp_path, threads=2, ingest_memory=10**9, transform_memory=10**9)
    assert (found["rows"], found["views"]) == (derived.rows, derived.views)
