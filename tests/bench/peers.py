"""dlt + dbt over the measured hour, in a virtual environment of their own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingestor.program import _PROCESS_MEMORY as WITHOUT_ENGINE
from pageviews_core.job.memory import engine_memory
from tests.bench.installation import MEMORY_LIMIT, THREADS
from tests.bench.measured_hour import MeasuredHour
from tests.bench.process import Measured, run_measured

_ROOT = Path(__file__).parents[2]
_VENV = _ROOT / ".venv-bench"
_LOCK = _ROOT / "requirements/bench.txt"
_CODE = Path(__file__).with_name("dlt_dbt")


class PeerUnavailable(Exception):
    """The peers' packages could not be installed."""


@dataclass(frozen=True)
class Peers:
    bin: Path
    memory: int
    """The engine's limit in bytes: as the product's ingestor gives it."""

    @classmethod
    def installed(cls) -> Peers:
        """Installs the lock where that has not been done. Raises PeerUnavailable."""
        stamp, digest = _VENV / ".locked", hashlib.sha256(_LOCK.read_bytes()).hexdigest()
        if not stamp.is_file() or stamp.read_text() != digest:
            uv, python = str(Path(sys.executable).with_name("uv")), str(_VENV / "bin/python")
            for command in (
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(_VENV)],
                [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(_LOCK)],
            ):
                done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
                if done.returncode:
                    raise PeerUnavailable(done.stderr.strip())
            stamp.write_text(digest)
        return cls(_VENV / "bin", engine_memory(MEMORY_LIMIT, taken=WITHOUT_ENGINE))

    def take_in(self, measured: MeasuredHour, folder: Path) -> tuple[Measured, Measured]:
        """The load and the build, each a cold process; dbt has parsed its project before. Raises CommandFailed."""
        folder.mkdir()
        warehouse, hour = folder / "peer.duckdb", str(measured.hour)
        project = ["--project-dir", str(_CODE / "project"), "--profiles-dir", str(_CODE / "project")]
        given = ["--vars", json.dumps({"hour": f"{hour.replace('T', ' ')}:00:00"})]
        outside = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
        environment = {
            "PEER_WAREHOUSE": str(warehouse),
            "PEER_THREADS": str(THREADS),
            "PEER_MEMORY": f"{self.memory}B",
            "DO_NOT_TRACK": "1",
        }
        log, dbt = folder / "peer.log", str(self.bin / "dbt")
        run_measured([dbt, "parse", *project, *given, *outside], log, environment)
        load = run_measured(
            [
                str(self.bin / "python"), str(_CODE / "load.py"), str(measured.pageviews), str(warehouse),
                "--hour", hour, "--threads", str(THREADS), "--memory", str(self.memory),
            ],
            log,
            environment,
        )  # fmt: skip
        build = run_measured([dbt, "run", *project, *given, *outside], log, environment)
        with duckdb.connect(warehouse, read_only=True) as db:
            counts = db.execute(
                "select (select count(*) from wikipedia.raw_pageviews), (select count(*) from wikipedia.facts)"
            ).fetchone()
        if counts is None or counts[0] != counts[1] or not counts[0]:
            raise RuntimeError(f"dlt and dbt disagree about the hour's rows: {counts}")
        return load, build
