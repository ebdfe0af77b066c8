"""SIGTERM with work left: exit code 143, nothing half done, and what was not done stays owed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, recent_hours, whole
from tests.integration.pipeline.processes import job_environment, wait_until
from tests.tools.troubles import Slow

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.records.run import Job

NEVER = "0 0 1 1 *"


def test_an_ingestor_stops_in_the_middle_of_a_download(open_pipeline: OpenPipeline) -> None:
    hour = recent_hours(1)[0]
    pipeline = open_pipeline([hour], {hour: Slow(bytes_per_second=2_000)})
    job = pipeline.start("ingestor")
    wait_until(lambda: downloading(pipeline), "the first bytes")
    job.send(signal.SIGTERM)
    assert job.wait().code == 143
    assert_stopped(pipeline, "ingestor", {hour: "stopped"})
    assert pipeline.keys("raw/") == pipeline.keys("landing/") == pipeline.keys("failures/") == []
    assert not pipeline.database.exists()
    assert list((pipeline.folder / "scratch" / "ingestor").iterdir()) == []
    pipeline.server.heal(hour)
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole([hour])


def downloading(pipeline: Pipeline) -> bool:
    return any(file.stat().st_size for file in pipeline.folder.glob("scratch/ingestor/**/*.part"))


BEFORE_THE_LOAD = ("download", "store_raw", "decode", "control_totals", "land")


@pytest.mark.parametrize(
    "point",
    [
        *(f"enter step {step}" for step in BEFORE_THE_LOAD),
        "after create landing/pageviews/<hour>/<ulid>/pageviews.parquet",
    ],
)
def test_an_ingestor_that_is_stopped_before_the_load_loads_nothing(open_pipeline: OpenPipeline, point: str) -> None:
    pipeline = open_pipeline(1)
    hours = pipeline.server.hours
    assert pipeline.ingest(fault=pipeline.fault(point, "terminate")).code == 143
    assert_stopped(pipeline, "ingestor", dict.fromkeys(hours, "stopped"))
    assert not pipeline.database.exists()
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole(hours)


@pytest.mark.parametrize("point", ["enter step load", "before commit", "enter step mark"])
def test_an_ingestor_that_is_stopped_in_the_load_finishes_the_hour_and_starts_no_other(
    open_pipeline: OpenPipeline, point: str
) -> None:
    pipeline = open_pipeline(2)
    newest = pipeline.server.hours[-1]
    assert pipeline.ingest(fault=pipeline.fault(point, "terminate")).code == 143
    assert pipeline.ledger() == whole([newest])
    assert pipeline.generations("ingested") == {newest: 1}
    assert_stopped(pipeline, "ingestor", {newest: "done"})
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole(pipeline.server.hours)


@pytest.mark.parametrize("step", ["dbt", "mark"])
def test_a_transformer_that_is_stopped_at_a_step_leaves_the_hour_owed_or_whole(
    open_pipeline: OpenPipeline, step: str
) -> None:
    pipeline = open_pipeline(1)
    hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    assert pipeline.transform(fault=pipeline.fault(f"enter step {step}", "terminate")).code == 143
    assert pipeline.generations("transformed") == ({} if step == "dbt" else dict.fromkeys(hours, 1))
    assert_stopped(pipeline, "transformer")
    assert pipeline.failures("transformed") == []
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(hours)
    assert pipeline.generations("transformed") == dict.fromkeys(hours, 1)


def test_a_transformer_stops_in_the_middle_of_dbt(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    job = pipeline.start("transformer")
    job.wait_for_output("fct_wikipedia_pageviews")
    job.send(signal.SIGTERM)
    assert job.wait().code == 143
    assert pipeline.generations("transformed") == {}
    assert_stopped(pipeline, "transformer")
    assert pipeline.failures("transformed") == []
    assert not any((pipeline.folder / "scratch" / "transformer").iterdir())
    assert pipeline.ledger() == whole(hours)  # the file is free at once: the child has ended as well
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(hours)


def assert_stopped(pipeline: Pipeline, job: Job, outcomes: dict[Hour, str] | None = None) -> None:
    """The run says so, its log is one sealed object, and no lease is held."""
    run = pipeline.runs(job)[-1]
    assert run.state == "stopped"
    assert run.error is not None
    assert run.error.type == "Stopped"
    assert run.finished_at is not None
    if outcomes is not None:
        assert {outcome.hour: outcome.outcome for outcome in run.hours} == outcomes
    log = [key.removeprefix(f"{keys.run(run.id)}/") for key in pipeline.keys(f"{keys.run(run.id)}/log")]
    assert log == ["log.index.json", "log.jsonl.gz"]
    assert [key for key, lease in pipeline.leases().items() if lease.expires_at is not None] == []


@contextmanager
def watching(pipeline: Pipeline, job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """`watch` as its users start it, in a process group of its own, of which nothing may be left."""
    with (pipeline.folder / f"watch-{job}.log").open("wb") as log:
        watch = subprocess.Popen(
            [sys.executable, "-m", job, "watch"],
            env=job_environment(pipeline.environment(PAGEVIEWS_CRON=NEVER)),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield watch
            assert group_of(watch.pid) == []
        finally:
            if group_of(watch.pid):
                os.killpg(watch.pid, signal.SIGKILL)
            watch.wait()


def group_of(leader: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_a_watching_ingestor_ends_its_tick_and_then_itself(open_pipeline: OpenPipeline) -> None:
    hour = recent_hours(1)[0]
    pipeline = open_pipeline([hour], {hour: Slow(bytes_per_second=2_000)})
    with watching(pipeline, "ingestor") as watch:
        wait_until(lambda: downloading(pipeline), "the first bytes")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(20) == 143
    assert_stopped(pipeline, "ingestor", {hour: "stopped"})


def test_a_watching_transformer_ends_its_batch_and_then_itself(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    assert pipeline.ingest().code == 0
    with watching(pipeline, "transformer") as watch:
        log = pipeline.folder / "watch-transformer.log"
        wait_until(lambda: "stg_wikipedia_pageviews" in log.read_text(), "dbt's first model")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(20) == 143
    assert_stopped(pipeline, "transformer")
    assert pipeline.ledger() == whole(pipeline.server.hours)


def test_a_watch_with_nothing_to_do_ends_well(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    with watching(pipeline, "transformer") as watch:
        wait_until(lambda: bool(pipeline.keys("control/ticks/transformer.json")), "the first tick")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(20) == 0
