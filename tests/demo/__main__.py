"""`make demo`: both jobs over 36 derived hours, with trouble on the way; needs no account and no network.

The hours are DERIVED from a small excerpt of one real hour: titles are real, counts are made up.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from pageviews_core.hour import Hour, hour_range
from pageviews_core.settings import JobSettings, read_settings
from tests.demo.display import Display
from tests.demo.jobs import tick
from tests.demo.serving import serve
from tests.demo.summary import Totals, show
from tests.tools.demo_trouble import DemoTrouble, demo_trouble
from tests.tools.derived_hours import derive_hour
from tests.tools.dumps_server import DumpsServer
from tests.tools.troubles import WithBadLines

_PAUSE_SECONDS = 1
"""Between rounds: the demo's hours are tried again after a second instead of ten minutes."""
_MOST_ROUNDS = 6
_HOURS_TO_COME = 48
"""Served as they end, while the page stays open."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--hours", type=int, default=36)
    parser.add_argument("--folder", type=Path, default=Path("data/demo"), help="emptied first")
    parser.add_argument("--serve", type=int, metavar="PORT", help="then keep the page open on this port; 0: do not")
    parser.add_argument(
        "--outgrown", action="store_true", help="objects in S3, tables in Snowflake, by their protocols (stand-ins)"
    )
    parser.add_argument("--picture", type=Path, help="also write what is shown to this SVG file")
    arguments = parser.parse_args()
    console, began = Console(record=arguments.picture is not None), time.monotonic()
    newest = Hour.newest_ended(datetime.now(UTC))
    hours = list(hour_range(newest + (1 - arguments.hours), newest + 1))
    trouble = demo_trouble(hours)
    shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True)
    console.print(
        f"{len(hours)} hours up to {newest} UTC, derived from an excerpt of a real one: counts are made up.\n"
        f"On the way: {trouble.late} is published late, {trouble.truncated} is served half at first,\n"
        f"{trouble.restated} is restated, {trouble.with_bad_lines} has bad lines.",
        highlight=False,
        soft_wrap=True,
    )
    to_come = hour_range(newest + 1, newest + 1 + _HOURS_TO_COME)
    with DumpsServer([*hours, *to_come], trouble.by_hour) as server, ExitStack() as outgrown:
        environment = job_environment(server, arguments.folder, hours)
        if arguments.outgrown:
            environment |= outgrown.enter_context(_outgrown(arguments.folder))
        os.environ.update(environment)
        with Display(console, len(hours)) as display:
            run_until_quiet({**environment, "PAGEVIEWS_END": str(hours[-1])}, display, arguments.folder)
        console.print(f"\nDone after {time.monotonic() - began:.0f} s.")
        complete = summarise(console, arguments.folder, hours, trouble, arguments.picture)
        if arguments.serve:
            return serve(console, environment, arguments.folder, arguments.serve)
    return 0 if complete else 1


@contextmanager
def _outgrown(folder: Path) -> Iterator[dict[str, str]]:
    """The settings of an S3 and a Snowflake of the demo's own, which live while it does."""
    from tests.tools.s3_servers import s3_server, use_credentials  # what only this shape of the demo needs
    from tests.tools.snowflake_server import snowflake_server

    use_credentials()
    with s3_server(folder / "buckets") as s3, snowflake_server(folder / "snowflake") as snowflake:
        s3.create_bucket("demo")
        yield {**s3.environment, "PAGEVIEWS_STORE_URL": "s3://demo/pageviews", **snowflake.environment}


def summarise(console: Console, folder: Path, hours: list[Hour], trouble: DemoTrouble, picture: Path | None) -> bool:
    """Prints what happened; False unless all of it is right."""
    complete = show(console, read_settings(JobSettings), hours, served(hours, trouble))
    if os.environ.get("PAGEVIEWS_WAREHOUSE") != "snowflake":
        console.print(
            f"\nEverything is in {folder}: objects/ and warehouse.duckdb. Ask it something:\n"
            f"  LOCAL_DATA_DIR={folder} .venv/bin/pageviews-transformer query "
            '"select * from wikipedia.trending_pages_hourly"',
            highlight=False,
            soft_wrap=True,
        )
    if picture:
        # Rich's own template loads a font from elsewhere; a monospaced one of the reader's does as well.
        template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        console.save_svg(str(picture), title="make demo", code_format=template)
    return complete


def job_environment(server: DumpsServer, folder: Path, hours: list[Hour]) -> dict[str, str]:
    return {
        "LOCAL_DATA_DIR": str(folder),
        "PAGEVIEWS_SOURCE_URL": server.url,
        "PAGEVIEWS_CONTACT": "demo@localhost",
        "PAGEVIEWS_START": str(hours[0]),
        "PAGEVIEWS_MAX_HOURS_PER_RUN": str(len(hours)),
        "PAGEVIEWS_RETRY_AFTER": f"{_PAUSE_SECONDS}s",
        "PAGEVIEWS_RECHECK_AFTER": f"{_PAUSE_SECONDS}s",
        "PAGEVIEWS_LOG_FORMAT": "json",
    }


def run_until_quiet(environment: dict[str, str], display: Display, folder: Path) -> None:
    """Ticks both jobs in turn, as their schedules would, until neither finds anything to do."""
    for _ in range(_MOST_ROUNDS):
        outcomes = set()
        for job in ("ingestor", "transformer"):
            seen: list[str] = []

            def follow(event: dict[str, object], job: str = job, seen: list[str] = seen) -> None:
                display.follow(job, event)
                if event.get("event") == "tick_finished":
                    seen.append(str(event["outcome"]))

            code = tick(job, environment, folder / f"{job}.log", follow)
            if code:
                raise SystemExit(f"the {job} ended with exit code {code}; see {folder / job}.log")
            outcomes.update(seen)
        if outcomes == {"idle"}:
            return
        time.sleep(_PAUSE_SECONDS)


def served(hours: list[Hour], trouble: DemoTrouble) -> Totals:
    """What the source has to offer in the end, by the hours' generator."""
    newest = [derive_hour(hour, version=2 if hour == trouble.restated else 1) for hour in hours]
    bad = trouble.by_hour[trouble.with_bad_lines]
    assert isinstance(bad, WithBadLines)
    return Totals(
        len(hours), sum(hour.rows for hour in newest) + bad.loadable, sum(hour.views for hour in newest) + bad.views
    )


if __name__ == "__main__":
    sys.exit(main())
