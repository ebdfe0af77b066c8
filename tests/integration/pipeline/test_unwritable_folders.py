"""A folder without the right to write: its name, what to change, and exit 78, before anything is half done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, whole
from tests.integration.pipeline.processes import Ended, job_environment


def run_where_root_has_no_rights(pipeline: Pipeline, job: str, forbidden: Path, **settings: str) -> Ended:
    """`python -m <job> run` with `forbidden` mounted read-only for a superuser, whom permissions do not stop."""
    forbidden.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", job, "run"]
    if os.geteuid() == 0:
        mounting = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounting, str(forbidden), *command]
    forbidden.chmod(0o500)
    try:
        done = subprocess.run(
            command,
            env=job_environment(pipeline.environment(**settings)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        forbidden.chmod(0o700)
    return Ended(done.returncode, done.stdout)


@pytest.mark.parametrize("job", ["ingestor", "transformer"])
def test_a_scratch_folder_that_cannot_be_written(open_pipeline: OpenPipeline, job: str) -> None:
    pipeline = open_pipeline(1)
    if job == "transformer":
        assert pipeline.ingest().code == 0
    elsewhere = pipeline.folder / "no-scratch"
    ended = run_where_root_has_no_rights(pipeline, job, elsewhere, PAGEVIEWS_SCRATCH_DIR=str(elsewhere))
    assert ended.code == 78, ended.output
    failed = ended.event("failed")
    assert failed["error_type"] == "ConfigurationError"
    assert str(elsewhere) in failed["error"]
    assert "PAGEVIEWS_SCRATCH_DIR" in failed["error"]
    assert pipeline.failures() == pipeline.failures("transformed") == []
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(pipeline.server.hours)


def test_a_store_that_cannot_be_written(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    ended = run_where_root_has_no_rights(pipeline, "ingestor", pipeline.folder / "objects")
    assert ended.code == 78, ended.output
    assert str(pipeline.folder / "objects") in ended.event("failed")["error"]
    assert not pipeline.database.exists()


def test_a_warehouse_that_cannot_be_written(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    folder = pipeline.folder / "warehouse"
    setting = {"PAGEVIEWS_DUCKDB_PATH": str(folder / "warehouse.duckdb")}
    ended = run_where_root_has_no_rights(pipeline, "ingestor", folder, **setting)
    assert ended.code == 78, ended.output
    assert str(folder) in ended.event("failed")["error"]
    assert pipeline.keys("markers/") == []
