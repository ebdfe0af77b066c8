"""`make bench`: measures, and prints; a slow figure is no failure.

FULL_HOUR=/path/pageviews-YYYYMMDD-HH0000.gz measures a real full-size hour (its projectviews file is looked for beside
it); without it the hour is derived from a small excerpt, and what needs a full one is left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.bench.bench import Bench
from tests.bench.dimension import measure_large_dimension
from tests.bench.growth import measure_growth
from tests.bench.hour_cost import measure_hour
from tests.bench.idle import measure_idle_ticks
from tests.bench.installation import prepare_manifest
from tests.bench.machine import about_machine
from tests.bench.measured_hour import MeasuredHour, derived_hour, real_hour
from tests.bench.s3 import measure_s3
from tests.bench.status_service import measure_status_service

_HOUR = ("floor", "product", "peers")
_SECTIONS = (*_HOUR, "idle", "growth", "dimension", "status", "s3")
_FULL_ONLY = {"peers", "dimension"}
"""By default these are measured with a full hour alone: they take long, and say little of a small one."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=_sections, help=f"some of {','.join(_SECTIONS)}")
    parser.add_argument("--runs", type=int, default=1, help="rounds of floor, product and peers; medians are shown")
    parser.add_argument("--peers", action="store_true", help="dlt + dbt too, also over a derived hour")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="pageviews-bench-"))
    try:
        given = os.environ.get("FULL_HOUR")
        try:
            measured = real_hour(Path(given)) if given else derived_hour(folder)
        except ValueError as exc:
            parser.error(str(exc))
        chosen = arguments.only or _by_default(measured, peers=arguments.peers)
        bench = Bench(console, folder, measured, prepare_manifest(folder / "manifest"), max(1, arguments.runs))
        bench.say(f"{about_machine()}\nHour: {measured.about}\n")
        _measure(bench, chosen)
        bench.say(f"Done after {time.monotonic() - began:.0f} s.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _measure(bench: Bench, chosen: set[str]) -> None:
    if chosen & set(_HOUR):
        measure_hour(bench, chosen)
    for section, measure in (
        ("idle", measure_idle_ticks),
        ("growth", measure_growth),
        ("dimension", measure_large_dimension),
        ("status", measure_status_service),
        ("s3", measure_s3),
    ):
        if section in chosen:
            measure(bench)


def _by_default(measured: MeasuredHour, *, peers: bool) -> set[str]:
    chosen = set(_SECTIONS)
    if measured.derived:
        chosen -= _FULL_ONLY - ({"peers"} if peers else set())
    return chosen


def _sections(text: str) -> set[str]:
    chosen = set(text.split(","))
    if not chosen <= set(_SECTIONS):
        raise argparse.ArgumentTypeError(f"some of {','.join(_SECTIONS)}, not {text!r}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
