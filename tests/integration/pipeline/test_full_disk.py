"""A disk that is really full (a small tmpfs in a mount namespace of its own): exit 75 with words that help, nothing
half done, and once there is room the same command goes on."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, whole
from tests.integration.pipeline.processes import Ended, job_environment


def run_on_small_disk(pipeline: Pipeline, job: str, mounted: Path, kilobytes: int, **settings: str) -> Ended:
    """`python -m <job> run` where everything below `mounted` is a file system of its own, gone afterwards."""
    mounted.mkdir(parents=True, exist_ok=True)
    disk = shlex.quote(str(mounted))
    script = f"mount -t tmpfs -o size={kilobytes}k tmpfs {disk} && exec {shlex.quote(sys.executable)} -m {job} run"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env=job_environment(pipeline.environment(**settings)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout)


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Containers and some systems forbid them; then the reason is shown, and what stands in for it is the unit test of
    the errors."""
    tried = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"no mount namespaces here: {tried.stderr.strip()}")


@pytest.mark.parametrize("kilobytes", [16, 56])
def test_a_full_scratch_disk(open_pipeline: OpenPipeline, kilobytes: int) -> None:
    """Too small for the download, and for what is unpacked of it."""
    pipeline = open_pipeline(1)
    ended = run_on_small_disk(pipeline, "ingestor", pipeline.folder / "scratch", kilobytes)
    assert ended.code == 75, ended.output
    failed = ended.event("failed")
    assert failed["error_type"] == "StoreUnavailable"
    assert "no room left" in failed["error"]
    assert "PAGEVIEWS_SCRATCH_DIR" in failed["error"]
    assert pipeline.keys("markers/") == []
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole(pipeline.server.hours)


def test_a_full_disk_under_the_object_store(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    ended = run_on_small_disk(pipeline, "ingestor", pipeline.folder / "objects", 64)
    assert ended.code == 75, ended.output
    assert "the disk is full" in ended.event("failed")["error"]
    assert not pipeline.database.exists()
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole(pipeline.server.hours)


def test_a_full_disk_under_the_warehouse(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    disk = pipeline.folder / "warehouse"
    setting = {"PAGEVIEWS_DUCKDB_PATH": str(disk / "warehouse.duckdb")}
    ended = run_on_small_disk(pipeline, "ingestor", disk, 64, **setting)
    assert ended.code == 75, ended.output
    failed = ended.event("failed")
    assert failed["error_type"] == "WarehouseUnavailable"
    assert "out of room" in failed["error"]
    assert pipeline.keys("markers/") == []
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == whole(pipeline.server.hours)


def test_a_disk_that_fills_while_dbt_builds(open_pipeline: OpenPipeline) -> None:
    """The batch's scratch folder, where its artifacts go."""
    pipeline = open_pipeline(1)
    assert pipeline.ingest().code == 0
    ended = run_on_small_disk(pipeline, "transformer", pipeline.folder / "scratch", 64)
    assert ended.code == 75, ended.output
    assert pipeline.keys("markers/transformed/") == []
    assert pipeline.transform(PAGEVIEWS_RETRY_AFTER="1s").code == 0
    assert pipeline.counts() == whole(pipeline.server.hours)
