"""SIGKILL at every named point of the ingestor: the next run makes the hour whole, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import LEASE_SECONDS, Pipeline, derived, only, recent_hours, whole
from tests.tools.troubles import WithBadLines

from pageviews_core.hour import Hour

STEPS = ("download", "store_raw", "decode", "control_totals", "land", "load", "mark")
WRITES = (
    "create leases/ingested/<hour>.json",
    "create raw/pageviews/<hour>/<sha>/pageviews-<end>.gz",
    "create quarantine/<hour>/<ulid>.jsonl",
    "create landing/pageviews/<hour>/<ulid>/pageviews.parquet",
    "create markers/ingested/<hour>/1.json",
    "put changes/<ulid>.json of markers/ingested/<hour>/1.json",
    "replace leases/ingested/<hour>.json (released)",
    "put runs/<day>/<ulid>/run.json (succeeded)",
    "put control/ticks/ingestor.json",
)
BAD = WithBadLines()
"""So that there is something to be quarantined."""


def test_a_kill_at_any_point_leaves_no_hour_doubled_or_lost(
    open_pipeline: OpenPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = open_pipeline(
        90,
        dict.fromkeys(recent_hours(90), BAD),
        PAGEVIEWS_MAX_HOURS_PER_RUN="90",
        PAGEVIEWS_MAX_REJECTED_SHARE="0.05",
        PAGEVIEWS_MAX_BATCH_HOURS="90",
        PAGEVIEWS_RETAIN_RAW_ROWS="30d",
    )
    hours = pipeline.server.hours
    for hour in hours[:2]:  # the first leaves what is only written once; the second lists the points
        pipeline.points.unlink(missing_ok=True)
        assert pipeline.ingest(fault=pipeline.fault(), **only(hour)).code == 0
    points = [point for point in pipeline.points_reached() if not point.endswith("(renewed)")]
    with capsys.disabled():
        print(f"\n{len(points)} points at which the ingestor is killed:\n  " + "\n  ".join(points))
    assert {f"{side} step {step}" for step in STEPS for side in ("enter", "leave")} <= set(points)
    assert {f"{side} {write}" for write in WRITES for side in ("before", "after")} <= set(points)
    assert {"before commit", "after commit"} <= set(points)
    killed = dict(zip(hours[2:], points, strict=False))
    assert len(killed) == len(points)

    for hour, point in killed.items():
        ended = pipeline.ingest(fault=pipeline.fault(point), **only(hour))
        assert ended.code == -9, f"no kill at {point}:\n{ended.output}"
    last = hours[1 + len(killed)]
    again = pipeline.ingest(PAGEVIEWS_END=str(last))
    assert again.code == 0, again.output
    problems = {point: problem for hour, point in killed.items() if (problem := problem_of(pipeline, hour))}
    assert problems == {}
    assert pipeline.failures() == []
    done = [*hours[:2], *killed]
    assert pipeline.ledger() == whole(done, bad=BAD)
    assert pipeline.counts("raw_wikipedia_pageviews") == whole(done, bad=BAD)

    assert pipeline.transform(PAGEVIEWS_END=str(last)).code == 0
    assert pipeline.counts() == whole(done, bad=BAD)
    assert pipeline.failures("transformed") == []
    assert pipeline.generations("transformed") == dict.fromkeys(done, 1)


def problem_of(pipeline: Pipeline, hour: Hour) -> str | None:
    """What is wrong with an hour that was killed and then done again."""
    markers = [Path(key).name for key in pipeline.keys(f"markers/ingested/{hour.path}/")]
    if markers != ["1.json"]:
        return f"markers {markers}"
    marker = pipeline.ingested(hour)
    if (marker.generation, marker.rows.loaded, marker.views) != derived(hour, bad=BAD):
        return f"marker {marker}"
    if gone := [
        key
        for key in (marker.objects.raw, marker.objects.landing, marker.objects.quarantine)
        if not pipeline.keys(str(key))
    ]:
        return f"gone: {gone}"
    lease = pipeline.leases()[f"leases/ingested/{hour.path}.json"]
    if lease.expires_at is not None and lease.expires_at > datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS):
        return f"lease {lease}"
    return None


@pytest.mark.parametrize("point", ["enter step load", "after commit", "after create markers/ingested/<hour>/1.json"])
def test_the_next_run_waits_for_the_lease_of_a_killed_one_and_takes_its_hour(
    open_pipeline: OpenPipeline, point: str
) -> None:
    pipeline = open_pipeline(1)
    assert pipeline.ingest(fault=pipeline.fault(point)).code == -9
    again = pipeline.ingest()
    assert again.code == 0, again.output
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole(pipeline.server.hours)
    assert pipeline.generations("ingested") == dict.fromkeys(pipeline.server.hours, 1)
    assert pipeline.failures() == []


@pytest.mark.parametrize("point", ["before create control/start.json", "after create control/start.json"])
def test_a_first_run_may_be_killed_while_it_chooses_the_start(open_pipeline: OpenPipeline, point: str) -> None:
    pipeline = open_pipeline(1)
    unset: dict[str, Any] = {"PAGEVIEWS_START": "", "PAGEVIEWS_END": ""}
    assert pipeline.ingest(fault=pipeline.fault(point), **unset).code == -9
    assert pipeline.ingest(**unset).code == 0
    assert pipeline.ledger() == whole(recent_hours(1))
