"""The object store in S3 (versitygw) beside the folder: the hour's time, the memory of a transfer, a day's backfill."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median
from typing import get_args

from pageviews_core.object_store.base import ObjectStore
from pageviews_core.records.run import Job
from tests.bench.bench import Bench
from tests.bench.dumps import serving, serving_derived
from tests.bench.installation import Installation
from tests.bench.process import run_measured
from tests.bench.report import MIB, show_rows
from tests.tools.s3_servers import S3Server, s3_server, use_credentials, versitygw_path

_BUCKET = "bench"
_SIZES_MB = (50, 500)
_TRANSFER = """
import sys, shutil
from pathlib import Path
from tests.tools.s3_servers import S3Server, use_credentials
url, direction, file = sys.argv[1:]
use_credentials()
store, path = S3Server(url).store("bench", "transfer"), Path(file)
if direction == "upload":
    store.put(path.name, path)
else:
    with store.open(path.name) as source, open("/dev/null", "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
"""
_DAY = 24
_SCALE = 0.2


def measure_s3(bench: Bench) -> None:
    use_credentials()
    rows: list[tuple[str, str, str]] = []
    with bench.scratch("s3") as folder, s3_server(folder / "buckets") as server:
        server.create_bucket(_BUCKET)
        rows += _hour(bench, folder, server)
        for size in _SIZES_MB:
            rows += _transfer(folder, server, size)
        rows += _backfill(bench, folder, server)
    name = "versitygw" if versitygw_path() else "moto's server"
    show_rows(bench.console, f"Objects in S3 ({name}), DuckDB", rows)


def _hour(bench: Bench, folder: Path, server: S3Server) -> list[tuple[str, str, str]]:
    """In turns, so that a busy moment meets both."""
    hour, seconds = bench.measured.hour, {"folder": list[float](), "s3": list[float]()}
    with serving(bench.measured) as url:
        for number in range(bench.runs):
            for kind, found in seconds.items():
                product = Installation(folder / f"{kind}-{number}", url, bench.manifest, start=hour, end=hour)
                if kind == "s3":
                    _keep_in(product, server, f"hour-{number}")
                product.keep_house()
                found.append(product.take_in(hour).both.seconds)
    on_folder, on_s3 = (median(found) for found in seconds.values())
    return [
        ("both jobs, an hour, objects in a folder", f"{on_folder:.2f} s", ""),
        ("  in S3", f"{on_s3:.2f} s = {on_s3 / on_folder:.2f} x the folder", "<= 1.3 x"),
    ]


def _transfer(folder: Path, server: S3Server, megabytes: int) -> list[tuple[str, str, str]]:
    file = folder / f"{megabytes}MB"
    with file.open("wb") as out:
        for _ in range(megabytes):
            out.write(os.urandom(1_000_000))
    rows = []
    for direction in ("upload", "download"):
        command = [sys.executable, "-c", _TRANSFER, server.url, direction, str(file)]
        measured = run_measured(command, folder / "transfer.log", {"PYTHONPATH": str(Path(__file__).parents[2])})
        rows.append(
            (
                f"{direction} of {megabytes} MB",
                f"{measured.seconds:.2f} s, peak {measured.peak_bytes / MIB:.0f} MiB",
                "",
            )
        )
    file.unlink()
    return rows


def _backfill(bench: Bench, folder: Path, server: S3Server) -> list[tuple[str, str, str]]:
    """A day in one run of each job, against a run of each for every hour."""
    newest, seconds = bench.measured.hour, dict[str, float]()
    first = newest + (1 - _DAY)
    with serving_derived(newest, _DAY, _SCALE) as url:
        for kind in ("one run", "single runs"):
            product = Installation(folder / kind.replace(" ", "-"), url, bench.manifest, start=first, end=newest)
            _keep_in(product, server, kind.replace(" ", "-"))
            product.keep_house()
            if kind == "one run":
                product.extra = {**product.extra, "PAGEVIEWS_MAX_HOURS_PER_RUN": str(_DAY)}
                seconds[kind] = sum(product.tick(job).measured.seconds for job in get_args(Job))
            else:
                seconds[kind] = sum(product.take_in(first + number).both.seconds for number in range(_DAY))
    ratio = seconds["single runs"] / seconds["one run"]
    return [
        (f"a backfill of {_DAY} derived hours, one run of each job", f"{seconds['one run']:.1f} s", ""),
        ("  as single runs", f"{seconds['single runs']:.1f} s: the backfill's throughput is {ratio:.1f} x", ""),
    ]


def _keep_in(product: Installation, server: S3Server, prefix: str) -> None:
    product.extra = {**product.extra, **server.environment, "PAGEVIEWS_STORE_URL": f"s3://{_BUCKET}/{prefix}"}
    store: ObjectStore = server.store(_BUCKET, prefix)
    product.store = store
