"""The measured hour once more, where the dimension already holds 30 million pages."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.bench.bench import Bench
from tests.bench.dumps import serving
from tests.bench.installation import Installation
from tests.bench.report import figure, show

_PAGES = 30_000_000
_NEW_SHARE = 5
"""One in so many of the hour's pages is one that the dimension does not know."""


def measure_large_dimension(bench: Bench) -> None:
    hour = bench.measured.hour
    with bench.scratch("dimension") as folder:
        with serving(bench.measured) as url:
            product = Installation(folder, url, bench.manifest, start=hour, end=hour)
            product.keep_house()
            first = product.take_in(hour)
        fill(product.warehouse)
        with serving(bench.measured, at=hour + 1) as url:
            product.source_url = url
            then = product.take_in(hour + 1)
    show(
        bench.console,
        f"An hour with {_PAGES / 1e6:.0f} million pages in the dimension, one in {_NEW_SHARE} of its own new",
        [
            figure("into an empty warehouse", [first.both], first.both.seconds),
            figure("with the large dimension", [then.both], first.both.seconds),
            figure("  ingest", [then.ingest.measured], first.ingest.measured.seconds),
            figure("  transform", [then.transform.measured], first.transform.measured.seconds),
        ],
        ratio_to="empty",
    )


def fill(warehouse: Path) -> None:
    """Forgets a share of the known pages, and adds generated ones up to `_PAGES`, their keys spread like real ones."""
    with duckdb.connect(warehouse, config={"memory_limit": "1GB", "threads": 2}) as db:
        db.execute("set preserve_insertion_order = false")
        db.execute(f"delete from wikipedia.dim_wikipedia_page where page_key % {_NEW_SHARE} = 0")
        db.execute(
            "insert into wikipedia.dim_wikipedia_page by name "
            "select hash(i) as page_key, hash(-i) as page_key_check, 'en.wikipedia' as project, "
            "'Generated_' || i as page_title, 'article' as page_kind, true as is_article "
            f"from range(1, {_PAGES} - (select count(*) from wikipedia.dim_wikipedia_page) + 1) generated(i)"
        )
