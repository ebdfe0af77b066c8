"""Does an hour cost more, the more hours there are? After 24 and after 720 hours, each a fifth of the excerpt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

import duckdb

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.journal import Journal
from pageviews_core.markers import read_ingested, read_transformed
from tests.bench.bench import Bench
from tests.bench.dumps import serving_derived
from tests.bench.installation import HourCost, Installation
from tests.bench.process import Measured
from tests.bench.report import Figure, figure, show

_SCALE = 0.2
"""About 10,000 rows an hour, so that 720 hours hold as many as one full hour."""
_FIRST = Hour.parse("2026-03-02T00")
_HISTORY = 24
_COPIED_DAYS = 29
_MEASURED = 5
_SHIFTED = ("hour_started_at", "hour_ended_at", "date_day")


def measure_growth(bench: Bench) -> None:
    """The measured hours are the next day's first ones: none of them closes a day."""
    newest = _FIRST + (_HISTORY + 2 * _MEASURED - 1)
    with bench.scratch("growth") as folder, serving_derived(newest, newest - _FIRST + 1, _SCALE) as url:
        loaded = _FIRST + (_HISTORY - 1)
        product = Installation(folder, url, bench.manifest, start=_FIRST, end=loaded)
        product.keep_house()
        product.tick("ingestor")
        product.tick("transformer")
        few = _costs(product, loaded + 1)
        product.start = _FIRST + -24 * _COPIED_DAYS
        copy_rows(product.warehouse)
        copy_markers(product.journal, folder / "objects")
        product.tick("transformer")  # finds nothing to do, and moves the watermark over the copies
        many = _costs(product, loaded + (1 + _MEASURED))
        rows = _rows(product.warehouse)
    title = f"Growth: a small hour after few and after many, {rows:,} facts in the end, median of {_MEASURED}"
    before = median(cost.both.seconds for cost in few)
    show(
        bench.console,
        title,
        [
            figure(f"after {_HISTORY} hours", [cost.both for cost in few], before),
            figure(
                f"after {_HISTORY + _MEASURED + 24 * _COPIED_DAYS} hours",
                [cost.both for cost in many],
                before,
                "<= 1.2",
            ),
            _part("ingest", [c.ingest.measured for c in few], [c.ingest.measured for c in many]),
            _part("transform", [c.transform.measured for c in few], [c.transform.measured for c in many]),
        ],
        ratio_to=f"at {_HISTORY}",
    )


def _part(job: str, few: Sequence[Measured], many: Sequence[Measured]) -> Figure:
    return figure(f"  its {job}", many, median(run.seconds for run in few))


def _costs(product: Installation, first: Hour) -> list[HourCost]:
    return [product.take_in(hour) for hour in hour_range(first, first + _MEASURED)]


def copy_rows(warehouse: Path) -> None:
    """Every row of a first day, in every table that knows hours or days, once for each of the days before it."""
    with duckdb.connect(warehouse) as db:
        tables: dict[str, list[str]] = {}
        for table, column in db.execute(
            "select table_name, column_name from duckdb_columns() join duckdb_tables() using (schema_name, table_name) "
            "where schema_name = 'wikipedia' and list_contains(?, column_name)",
            [list(_SHIFTED)],
        ).fetchall():
            tables.setdefault(table, []).append(column)
        until = _FIRST.started_at.replace(tzinfo=None) + timedelta(days=1)
        for table, columns in tables.items():
            day = "hour_started_at" if "hour_started_at" in columns else "date_day"
            for back in range(_COPIED_DAYS, 0, -1):
                shifts = ", ".join(f"({column} - interval '{back} days') as {column}" for column in columns)
                db.execute(
                    f"insert into wikipedia.{table} select * replace ({shifts}) from wikipedia.{table} "
                    "where $day >= ? and $day < ?".replace("$day", day),
                    [until - timedelta(days=1), until],
                )


def copy_markers(journal: Journal, root: Path) -> None:
    """The markers of that first day, once for each of the days before it, as files."""
    for hour in hour_range(_FIRST, _FIRST + 24):
        ingested, transformed = read_ingested(journal, hour, 1), read_transformed(journal, hour, 1)
        assert ingested
        assert transformed
        for back in range(1, _COPIED_DAYS + 1):
            earlier = hour + -24 * back
            for key, marker in (
                (keys.marker("ingested", earlier, 1), ingested.model_copy(update={"hour": earlier})),
                (keys.marker("transformed", earlier, 1), transformed.model_copy(update={"hour": earlier})),
            ):
                file = root / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(marker.encode())


def _rows(warehouse: Path) -> int:
    with duckdb.connect(warehouse, read_only=True) as db:
        found = db.execute("select count(*) from wikipedia.fct_wikipedia_pageviews").fetchone()
    assert found
    return int(found[0])
