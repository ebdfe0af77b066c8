"""A store as a year of work leaves it: 8,760 complete hours and any number of runs, as files of a local store.

    python -m tests.tools.busy_store FOLDER --runs 100000

Counts are made up; the records are what the jobs write. A few hours and runs at the end are in trouble.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.keys import FailureKey
from pageviews_core.records.base import Record
from pageviews_core.records.control import Settled, Start, Tick
from pageviews_core.records.failure import Failure
from pageviews_core.records.marker import (
    ControlTotals,
    HourObjects,
    IngestedMarker,
    LineCounts,
    NodeResult,
    SourceFile,
    TransformedMarker,
)
from pageviews_core.records.run import ErrorReport, HourOutcome, Job, RunRecord, StepTiming

HOURS = 8_760
_STEPS = {
    "ingestor": ("download", "store_raw", "decode", "control_totals", "land", "load", "mark"),
    "transformer": ("dbt", "mark"),
}
_NODES = tuple(
    NodeResult(name=name, resource_type="model", status="success", seconds=0.4)
    for name in ("stg_wikipedia_pageviews", "dim_wikipedia_page", "fct_wikipedia_pageviews", "page_views_hourly")
)


def write_busy_store(folder: Path, *, runs: int, hours: int = HOURS, now: datetime | None = None) -> None:
    """`folder` is the store's root and should be empty. The newest hour is the one that ended before `now` (UTC)."""
    at = now or datetime.now(UTC)
    newest = Hour.newest_ended(at)
    for key, record in _records(at, newest, runs, hours):
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(record.encode())


def _records(now: datetime, newest: Hour, runs: int, hours: int) -> Iterator[tuple[str, Record]]:
    chance = random.Random(20180219)
    first = newest + (1 - hours)
    failed, late = newest + -3, newest
    yield keys.START, Start(hour=first)
    yield keys.SETTLED, Settled(start=first, before=failed)
    every = timedelta(hours=hours) / runs
    last: dict[Job, str] = {}
    for number in range(runs):
        started_at = (now - timedelta(hours=hours) + number * every).replace(microsecond=0)
        job: Job = "ingestor" if number % 2 == 0 else "transformer"
        run = _run(job, started_at, Hour.newest_ended(started_at), chance)
        last[job] = run.id
        yield keys.run_record(run.id), run
    for hour in hour_range(first, newest + 1):
        if hour in (failed, late):
            continue
        rows = chance.randrange(5_000_000, 7_000_000)
        yield keys.marker("ingested", hour, 1), _ingested(hour, rows, last["ingestor"], chance)
        yield keys.marker("transformed", hour, 1), _transformed(hour, rows, last["transformer"])
    key = FailureKey(failed, 2, now.replace(microsecond=0) + timedelta(minutes=20), "failed")
    yield keys.failure("ingested", key), _failure(key, now, last["ingestor"])
    for job in ("ingestor", "transformer"):
        yield keys.tick(job), _tick(job, now, last[job])


def _run(job: Job, started_at: datetime, hour: Hour, chance: random.Random) -> RunRecord:
    bad = chance.random() < 0.01
    seconds = [chance.uniform(0.1, 5) for _ in _STEPS[job]]
    steps = tuple(
        StepTiming(name=name, hours=(hour,), started_at=started_at, seconds=round(took, 3), succeeded=True)
        for name, took in zip(_STEPS[job], seconds, strict=True)
    )
    rows = chance.randrange(5_000_000, 7_000_000)
    return RunRecord(
        id=str(ULID.from_datetime(started_at)),
        job=job,
        trigger="schedule",
        request=None,
        hours=(HourOutcome(hour=hour, outcome="failed" if bad else "done", generation=1, rows=rows, views=3 * rows),),
        state="failed" if bad else "succeeded",
        error=ErrorReport(type="SourceCorrupt", message="not gzip", traceback="…") if bad else None,
        steps=steps,
        bytes_downloaded=57_000_000 if job == "ingestor" else 0,
        rows=rows,
        peak_memory_bytes=chance.randrange(400, 900) * 1024**2,
        host="node-1",
        pod=None,
        pod_uid=None,
        version="0.1.0",
        started_at=started_at,
        finished_at=started_at + timedelta(seconds=sum(seconds)),
    )


def _ingested(hour: Hour, rows: int, run_id: str, chance: random.Random) -> IngestedMarker:
    rejected = chance.choice((0,) * 49 + (3,))
    return IngestedMarker(
        hour=hour,
        generation=1,
        source=SourceFile(
            url=f"https://dumps.example/{hour}.gz", etag='"1"', last_modified=None, bytes=57_000_000, sha256="0" * 64
        ),
        rows=LineCounts(lines=rows + rejected, loaded=rows, rejected=rejected),
        views=3 * rows,
        control=ControlTotals(state="matched", expected_views=3 * rows),
        objects=HourObjects(raw=f"raw/{hour.path}/f.gz", landing=f"landing/{hour.path}/p.parquet", quarantine=None),
        run_id=run_id,
        attempt=1,
        started_at=hour.ended_at + timedelta(minutes=45),
        finished_at=hour.ended_at + timedelta(minutes=46),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        version="0.1.0",
    )


def _transformed(hour: Hour, rows: int, run_id: str) -> TransformedMarker:
    return TransformedMarker(
        hour=hour,
        generation=1,
        sha256="0" * 64,
        rows=rows,
        views=3 * rows,
        invocation_id="x",
        nodes=_NODES,
        warnings=(),
        run_id=run_id,
        started_at=hour.ended_at + timedelta(minutes=46),
        finished_at=hour.ended_at + timedelta(minutes=47),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        version="0.1.0",
    )


def _failure(key: FailureKey, now: datetime, run_id: str) -> Failure:
    return Failure(
        stage="ingested",
        hour=key.hour,
        kind="failed",
        attempt=key.attempt,
        failing_since=now - timedelta(hours=1),
        at=now,
        next_try_at=key.next_try_at,
        error_type="SourceCorrupt",
        error="the file answered with something that is not gzip",
        evidence=None,
        run_id=run_id,
    )


def _tick(job: Job, now: datetime, run_id: str) -> Tick:
    return Tick(
        job=job, at=now, outcome="worked", owed=1, run_id=run_id, seconds=20, store_requests=40, version="0.1.0"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=100_000)
    given = parser.parse_args()
    write_busy_store(given.folder, runs=given.runs)


if __name__ == "__main__":
    main()
