"""Runs one dbt command in this process, with a manifest prepared beforehand: `dbt_child.py <manifest> <dbt arguments>`.

Prints a JSON object: success, the error that ended the run (or null), and each node's status and message by name.
With STEAL_FENCE_AFTER=<model> in the environment another holder raises every fence once that model is done.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest


def steal_fence(event: Any) -> None:
    if event.info.name == "LogModelResult" and os.environ["STEAL_FENCE_AFTER"] in event.info.msg:
        thief = DuckDBConnectionManager.env().conn.cursor()
        thief.execute("update pageviews.wikipedia.pageviews_fence set fence = fence + 1")


def main() -> None:
    manifest_path, *arguments = sys.argv[1:]
    manifest = None
    if Path(manifest_path).exists():
        manifest = Manifest.from_msgpack(Path(manifest_path).read_bytes())
        manifest.build_flat_graph()
    callbacks = [steal_fence] if "STEAL_FENCE_AFTER" in os.environ else []
    result = dbtRunner(manifest=manifest, callbacks=callbacks).invoke(["--quiet", *arguments])
    nodes = {
        node.node.name: {"status": str(node.status), "message": node.message or ""}
        for node in getattr(result.result, "results", [])
    }
    error = str(result.exception) if result.exception else None
    sys.stdout.write("\n" + json.dumps({"success": result.success, "error": error, "nodes": nodes}) + "\n")


if __name__ == "__main__":
    main()
