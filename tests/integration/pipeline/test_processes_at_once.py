"""Several processes over the same hours: each hour is loaded once, whoever is faster, paused or late."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, whole
from tests.integration.pipeline.processes import job_environment, wait_until

from pageviews_core.records.run import Job

OWN = ("runs/", "changes/", "leases/", "control/ticks/", "control/probe/", "control/rechecks.json")
"""Where a process leaves its own record and log, its leases, the announcements of both, and when to ask again."""


def test_two_of_each_job_started_at_once_do_every_hour_once(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(6)
    hours = pipeline.server.hours
    ingestors = [pipeline.start("ingestor") for _ in range(2)]
    transformers = [pipeline.start("transformer") for _ in range(2)]
    for job in ingestors + transformers:
        ended = job.wait()
        assert ended.code == 0, ended.output
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole(hours)
    assert outcomes(pipeline, "ingestor")["done"] == len(hours)
    transformers = [pipeline.start("transformer") for _ in range(2)]
    for job in transformers:
        ended = job.wait()
        assert ended.code == 0, ended.output
    assert pipeline.counts() == whole(hours)
    assert outcomes(pipeline, "transformer")["done"] == len(hours)
    assert pipeline.generations("ingested") == pipeline.generations("transformed") == dict.fromkeys(hours, 1)
    assert pipeline.failures() == pipeline.failures("transformed") == []


def outcomes(pipeline: Pipeline, job: Job) -> Counter[str]:
    """Of all hours of all runs."""
    return Counter(outcome.outcome for run in pipeline.runs(job) for outcome in run.hours)


def test_an_hour_is_loaded_and_built_while_a_transformer_watches(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    watch = subprocess.Popen(
        [sys.executable, "-m", "transformer", "watch"],
        env=job_environment(pipeline.environment(PAGEVIEWS_CRON="0 0 1 1 *")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(pipeline.keys("control/ticks/transformer.json")), "the first tick of watch")
        assert pipeline.ingest().code == 0
        wait_until(lambda: pipeline.generations("transformed") != {}, "the marker of the hour")
    finally:
        watch.send_signal(signal.SIGTERM)
        code = watch.wait(30)
    assert code in (0, 143)
    assert pipeline.counts() == whole(pipeline.server.hours)


@pytest.mark.parametrize(
    "point",
    [
        "after create leases/ingested/<hour>.json",
        "enter step store_raw",
        "enter step land",
        "enter step load",
        "before commit",
        "before create markers/ingested/<hour>/1.json",
        "after create markers/ingested/<hour>/1.json",
    ],
)
def test_an_ingestor_that_wakes_late_changes_nothing(open_pipeline: OpenPipeline, point: str) -> None:
    pipeline = open_pipeline(1)
    paused = pipeline.start("ingestor", fault=pipeline.fault(point, "stop"))
    paused.wait_for_state("T")
    try:
        other = pipeline.ingest(PAGEVIEWS_WAREHOUSE_WAIT="0.1s")
        holds_warehouse = point == "before commit"
        assert other.code == (75 if holds_warehouse else 0), other.output
        if not holds_warehouse:
            objects, tables = pipeline.objects(without=OWN), pipeline.tables()
    finally:
        paused.send(signal.SIGCONT)
    late = paused.wait()
    assert late.code == 0, late.output
    if holds_warehouse:  # the file is the embedded warehouse's own lock: nobody came in between
        assert pipeline.ingest().code == 0
    else:
        assert pipeline.objects(without=OWN) == objects
        assert pipeline.tables() == tables
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole(pipeline.server.hours)
    assert pipeline.generations("ingested") == dict.fromkeys(pipeline.server.hours, 1)
    assert pipeline.failures() == []
    assert [key for key, lease in pipeline.leases().items() if lease.expires_at is not None] == []


@pytest.mark.parametrize(
    "point", ["after create leases/transformed/<hour>.json", "before create markers/transformed/<hour>/1.json"]
)
def test_a_transformer_that_wakes_late_changes_nothing(open_pipeline: OpenPipeline, point: str) -> None:
    pipeline = open_pipeline(1)
    assert pipeline.ingest().code == 0
    paused = pipeline.start("transformer", fault=pipeline.fault(point, "stop"))
    paused.wait_for_state("T")
    try:
        other = pipeline.transform()
        assert other.code == 0, other.output
        assert pipeline.generations("transformed") == dict.fromkeys(pipeline.server.hours, 1)
        objects, tables = pipeline.objects(without=OWN), pipeline.tables()
    finally:
        paused.send(signal.SIGCONT)
    late = paused.wait()
    assert late.code == 0, late.output
    assert pipeline.objects(without=OWN) == objects
    assert pipeline.tables() == tables
    assert pipeline.counts() == whole(pipeline.server.hours)
    assert [key for key, lease in pipeline.leases().items() if lease.expires_at is not None] == []
