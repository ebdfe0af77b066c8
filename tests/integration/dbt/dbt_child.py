"""Runs one dbt command in a process that was forked from one with dbt in it already: half of a small build's time.

With STEAL_FENCE_AFTER=<model> in the environment another holder raises every fence once that model is done.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest


def steal_fence(event: Any) -> None:
    if event.info.name == "LogModelResult" and os.environ["STEAL_FENCE_AFTER"] in event.info.msg:
        thief = DuckDBConnectionManager.env().conn.cursor()
        thief.execute("update pageviews.wikipedia.pageviews_fence set fence = fence + 1")


def run(
    answer: Connection, manifest_path: Path, arguments: Sequence[str], environment: Mapping[str, str], output: Path
) -> None:
    """Sends whether it succeeded, the error that ended the run (or None), and each node's status and message."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives
    os.environ.clear()
    os.environ.update(environment)
    manifest = None
    if manifest_path.exists():
        manifest = Manifest.from_msgpack(manifest_path.read_bytes())
        manifest.build_flat_graph()
    callbacks = [steal_fence] if "STEAL_FENCE_AFTER" in os.environ else []
    result = dbtRunner(manifest=manifest, callbacks=callbacks).invoke(["--quiet", *arguments])
    nodes = {
        node.node.name: {"status": str(node.status), "message": node.message or ""}
        for node in getattr(result.result, "results", [])
    }
    answer.send((result.success, str(result.exception) if result.exception else None, nodes))
