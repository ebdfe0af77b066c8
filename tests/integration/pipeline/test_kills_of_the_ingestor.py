"""SIGKILL at every named point of the ingestor: the next run makes the hour whole, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import LEASE_SECONDS, Pipeline, derived, recent_hours, whole

from pageviews_core.hour import Hour

STEPS = ("download", "store_raw", "decode", "control_totals", "land", "load", "mark")
WRITES = (
    "create leases/ingested/<hour>.json",
    "create raw/pageviews/<hour>/<sha>/pageviews-<end>.gz",
    "create landing/pageviews/<hour>/<ulid>/pageviews.parquet",
    "create markers/ingested/<hour>/1.json",
    "put changes/<ulid>.json of markers/ingested/<hour>/1.json",
    "replace leases/ingested/<hour>.json (released)",
    "put runs/<day>/<ulid>/run.json (succeeded)",
    "put control/ticks/ingestor.json",
)


def points_of(pipeline: Pipeline) -> list[str]:
    """The points so far, each once, in their order."""
    return list(dict.fromkeys((pipeline.folder / "points.txt").read_text().splitlines()))


def test_a_kill_at_any_point_leaves_no_hour_doubled_or_lost(
    open_pipeline: OpenPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = open_pipeline(90, PAGEVIEWS_RETAIN_RAW_ROWS="30d", PAGEVIEWS_RETAIN_STAGING="30d")
    hours = iter(pipeline.server.hours)
    first = next(hours)
    assert pipeline.ingest(fault=pipeline.fault(), **only(first)).code == 0
    points = points_of(pipeline)
    with capsys.disabled():
        print(f"\n{len(points)} points at which the ingestor is killed:\n  " + "\n  ".join(points))
    assert {f"{side} step {step}" for step in STEPS for side in ("enter", "leave")} <= set(points)
    assert {f"{side} {write}" for write in WRITES for side in ("before", "after")} <= set(points)
    assert {"before commit", "after commit"} <= set(points)

    killed = {first: "never"}
    for point, hour in zip(points, hours, strict=False):
        killed[hour] = point
        if ingest_with_kill(pipeline, hour, point) is None:
            pytest.fail(f"the run never came to {point}")
    problems = {
        killed[hour]: problem for hour in killed if (problem := problem_of(pipeline, hour)) is not None
    }
    assert problems == {}
    assert pipeline.failures() == []
    assert len(killed) == len(points) + 1

    wanted = whole(killed)
    assert pipeline.ledger() == wanted
    assert pipeline.counts("raw_wikipedia_pageviews") == wanted
    assert pipeline.transform().code == 0
    assert pipeline.counts() == wanted


def only(hour: Hour) -> dict[str, str]:
    return {"PAGEVIEWS_START": str(hour), "PAGEVIEWS_END": str(hour)}


def ingest_with_kill(pipeline: Pipeline, hour: Hour, point: str) -> str | None:
    fault = pipeline.fault(point)
    if pipeline.ingest(fault=fault, **only(hour)).code != -9:
        return None
    again = pipeline.ingest(**only(hour))
    assert again.code == 0, f"after a kill at {point}:\n{again.output}"
    return again.output


def problem_of(pipeline: Pipeline, hour: Hour) -> str | None:
    """What is wrong with an hour that was killed once and then done again."""
    markers = pipeline.keys(f"markers/ingested/{hour.path}/")
    if [key.rpartition("/")[2] for key in markers] != ["1.json"]:
        return f"markers {markers}"
    marker = pipeline.ingested(hour)
    if (marker.generation, marker.rows.loaded, marker.views) != derived(hour):
        return f"marker {marker}"
    for key in filter(None, (marker.objects.raw, marker.objects.landing, marker.objects.quarantine)):
        if not pipeline.keys(key):
            return f"{key} is gone"
    lease = pipeline.leases()[f"leases/ingested/{hour.path}.json"]
    latest = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
    if lease.expires_at is not None and lease.expires_at > latest:
        return f"lease {lease}"
    return None


def test_a_first_run_that_chooses_the_start_may_be_killed_there(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    newest = recent_hours(1)[0]
    for point in ("before create control/start.json", "after create control/start.json"):
        killed = pipeline.ingest(fault=pipeline.fault(point), PAGEVIEWS_START="", PAGEVIEWS_END="")
        assert killed.code == -9 or point.startswith("after")
    assert pipeline.ingest(PAGEVIEWS_START="", PAGEVIEWS_END="").code == 0
    assert pipeline.ledger() == whole([newest])
