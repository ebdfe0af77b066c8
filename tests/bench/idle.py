"""A tick with nothing to do, after a year of settled hours."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import get_args

from rich.table import Table

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.records.run import Job
from tests.bench.bench import Bench
from tests.bench.dumps import serving_derived
from tests.bench.installation import Installation
from tests.bench.report import MIB
from tests.samples import ingested_marker, transformed_marker

_YEAR = 8_760
_TICKS = 5
_SCALE = 0.02


def measure_idle_ticks(bench: Bench) -> None:
    newest = Hour.newest_ended(datetime.now(UTC))
    first = newest + (1 - _YEAR)
    with bench.scratch("idle") as folder:
        product = Installation(folder, "", bench.manifest, start=newest, end=newest)
        with serving_derived(newest, 1, _SCALE) as product.source_url:
            product.take_in(newest)  # so that the warehouse has its tables
        write_markers(folder / "objects", first, newest + -1)
        product.start = first
        jobs: tuple[Job, ...] = get_args(Job)
        for job in jobs:
            product.tick(job)  # raises the watermark, as a year of ticks would have
        table = Table(title=f"A tick with nothing to do, {_YEAR:,} complete hours, median of {_TICKS}")
        for heading in ("", "process s", "tick s", "requests to the store", "peak MiB", "aim"):
            table.add_column(heading, justify="left" if heading in ("", "aim") else "right")
        for job in jobs:
            ticks = [product.tick(job) for _ in range(_TICKS)]
            outcomes = {tick.record.outcome for tick in ticks}
            if outcomes != {"idle"}:
                raise RuntimeError(f"the {job} was to have nothing to do, and its ticks were {outcomes}")
            table.add_row(
                job,
                f"{median(tick.measured.seconds for tick in ticks):.2f}",
                f"{median(tick.record.seconds for tick in ticks):.3f}",
                str(max(tick.record.store_requests for tick in ticks)),
                f"{max(tick.measured.peak_bytes for tick in ticks) / MIB:.0f}",
                "<= 3 s (better 1), <= 10 requests",
            )
        bench.console.print(table)


def write_markers(root: Path, first: Hour, last: Hour) -> None:
    """Both stages' markers of each hour, as files, since 17,520 durable writes would take minutes."""
    for hour in hour_range(first, last + 1):
        for key, marker in (
            (keys.marker("ingested", hour, 1), ingested_marker(hour)),
            (keys.marker("transformed", hour, 1), transformed_marker(hour)),
        ):
            file = root / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(marker.encode())
