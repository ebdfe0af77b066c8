"""SIGKILL at the points of the transformer and of its batch: in the end every hour's facts are there, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, only, whole
from tests.integration.pipeline.processes import wait_until

from pageviews_core import keys
from pageviews_core.hour import Hour

STEPS = ("dbt", "mark")
WRITES = (
    "create leases/transformed/<hour>.json",
    "put runs/<day>/<ulid>/artifacts/001/run_results.json.gz",
    "create markers/transformed/<hour>/1.json",
    "put changes/<ulid>.json of markers/transformed/<hour>/1.json",
    "replace leases/transformed/<hour>.json (released)",
    "replace control/settled.json",
)
HOUSEKEEPING = ("audit", "objects", "rows", "runs", "compaction", "pruning")
ENDING = ("put runs/<day>/<ulid>/run.json (succeeded)", "put control/ticks/transformer.json")
IN_BATCH = (
    "dbt built stg_wikipedia_pageviews",
    "dbt built fct_wikipedia_pageviews",
    "before replace published/index.json",
    "batch ended",
)
"""Struck with the whole process group."""


def test_a_kill_at_any_point_leaves_no_facts_doubled_or_lost(
    open_pipeline: OpenPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = open_pipeline(48, PAGEVIEWS_RETAIN_RAW_ROWS="30d", PAGEVIEWS_MAX_BATCH_HOURS="48")
    hours = pipeline.server.hours
    run_once(pipeline, hours[0])  # leaves what is only written once
    points = run_once(pipeline, hours[1])
    building = beginnings(points[: 1 + points.index("after replace control/settled.json")])
    killed = {**dict.fromkeys(building, False), **dict.fromkeys(IN_BATCH, True)}
    with capsys.disabled():
        print(f"\n{len(killed)} points at which the transformer is killed, the last with its batch:")
        print("  " + "\n  ".join(killed))
    assert {f"enter step {step}" for step in STEPS} | {f"before {write}" for write in WRITES} <= set(building)

    for hour, (point, in_batch) in zip(hours[2:], killed.items(), strict=False):
        assert pipeline.ingest(**only(hour)).code == 0
        wait_for_leases(pipeline)
        fault = pipeline.fault(point, "kill_group" if in_batch else "kill", in_batch=in_batch)
        ended = pipeline.transform(fault=fault, PAGEVIEWS_END=str(hour))
        assert ended.code == -9, f"no kill at {point}:\n{ended.output}"
    wait_for_leases(pipeline)
    again = pipeline.transform()
    assert again.code == 0, again.output
    assert sorted(pipeline.generations("transformed")) == hours[: 2 + len(killed)]
    assert_all_right(pipeline)


def test_a_kill_in_the_housekeeping_or_at_the_end_of_a_run_changes_no_fact(
    open_pipeline: OpenPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = open_pipeline(1)
    run_once(pipeline, pipeline.server.hours[0])
    facts = pipeline.tables()
    points = beginnings(run_on_another_day(pipeline))
    with capsys.disabled():
        print(f"\n{len(points)} points at which the transformer is killed with only its house to keep:")
        print("  " + "\n  ".join(points))
    assert {f"enter step housekeeping_{task}" for task in HOUSEKEEPING} <= set(points)
    assert {f"before {write}" for write in ENDING} <= set(points)
    for point in points:
        run_on_another_day(pipeline, killed_at=point)
    run_on_another_day(pipeline)
    assert pipeline.tables() == facts
    assert_all_right(pipeline)


def run_once(pipeline: Pipeline, hour: Hour) -> list[str]:
    """Both jobs over the hour; the points of the transformer."""
    pipeline.points.unlink(missing_ok=True)
    assert pipeline.ingest(**only(hour)).code == 0
    ended = pipeline.transform(fault=pipeline.fault(), PAGEVIEWS_END=str(hour))
    assert ended.code == 0, ended.output
    return pipeline.points_reached()


def run_on_another_day(pipeline: Pipeline, *, killed_at: str | None = None) -> list[str]:
    """The transformer, with nothing owed but its housekeeping."""
    pipeline.store.delete(keys.HOUSEKEEPING)
    pipeline.points.unlink(missing_ok=True)
    ended = pipeline.transform(fault=pipeline.fault(killed_at))
    assert ended.code == (-9 if killed_at else 0), f"killed at {killed_at}:\n{ended.output}"
    return pipeline.points_reached()


def beginnings(points: list[str]) -> list[str]:
    """Without the ends: what is struck at the end of one write is struck before the next one too."""
    kept = [point for point in points if point.startswith(("before", "enter"))]
    return [point for point in kept if not point.endswith("(renewed)")]


def wait_for_leases(pipeline: Pipeline) -> None:
    """Until those of killed runs have expired."""

    def all_free() -> bool:
        now = datetime.now(UTC)
        return all(lease.expires_at is None or lease.expires_at <= now for lease in pipeline.leases().values())

    wait_until(all_free, "the end of every lease", seconds=5)


def assert_all_right(pipeline: Pipeline) -> None:
    """Every ingested hour is in the facts exactly once, and marked so."""
    done = pipeline.generations("ingested")
    assert pipeline.generations("transformed") == done
    assert set(done.values()) == {1}
    assert pipeline.counts("stg_wikipedia_pageviews") == whole(done)
    assert pipeline.counts() == whole(done)
    for hour in done:
        marker = pipeline.transformed(hour)
        assert [(1, marker.rows, marker.views)] == whole([hour])[hour]
    assert pipeline.failures("transformed") == []


def test_a_batch_killed_in_the_middle_of_dbt_is_done_again_hour_by_hour(open_pipeline: OpenPipeline) -> None:
    """As the kernel does when memory runs out."""
    pipeline = open_pipeline(2)
    assert pipeline.ingest().code == 0
    ended = pipeline.transform(fault=pipeline.fault("dbt built fct_wikipedia_pageviews", in_batch=True))
    assert ended.code == 0, ended.output
    # Each new child of this run is struck again: the batch, then each hour alone.
    assert "PAGEVIEWS_MEMORY_LIMIT" in ended.event("batch_failed_trying_hour_by_hour")["error"]
    failures = pipeline.failures("transformed")
    assert [(failure.hour, failure.error_type) for failure in failures] == [
        (hour, "TransformFailed") for hour in pipeline.server.hours
    ]
    assert all("memory" in failure.error for failure in failures)
    assert pipeline.generations("transformed") == {}
    assert pipeline.runs("transformer")[-1].state == "failed"
    wait_until(lambda: all(failure.next_try_at <= datetime.now(UTC) for failure in failures), "the end of the pause")
    assert pipeline.transform().code == 0
    assert_all_right(pipeline)
