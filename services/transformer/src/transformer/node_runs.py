"""What dbt's artifacts say of each node it ran: when, how it went, and what it is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

NodesById = Mapping[str, Any]
FAILED = frozenset({"error", "fail", "runtime error"})
"""Statuses of dbt."""
_NOTHING_DONE = "no-op"
"""That of an exposure, which is only described."""


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One node of one invocation; times are aware, UTC. `node` is the manifest's own description of it."""

    unique_id: str
    name: str
    status: str
    started_at: datetime
    finished_at: datetime
    message: str | None
    rows_affected: int | None
    """Where the adapter says so."""
    sql: str | None
    """As compiled."""
    node: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        return self.status in FAILED


@dataclass(frozen=True, slots=True)
class Invocation:
    nodes: tuple[NodeRun, ...]
    """Those that ran, in dbt's order; not those that were skipped."""
    relations: NodesById
    """Models, seeds and sources of the project by their unique ids."""


def read_invocation(target: Path) -> Invocation | None:
    """From dbt's target folder; None where dbt ended before it had run anything."""
    results, manifest = target / "run_results.json", target / "manifest.json"
    if not results.exists() or not manifest.exists():
        return None
    project = json.loads(manifest.read_text())
    relations = {
        unique_id: node
        for unique_id, node in {**project["nodes"], **project["sources"]}.items()
        if node["resource_type"] in ("model", "seed", "source")
    }
    ran = tuple(
        _node_run(result, project["nodes"].get(result["unique_id"], {}))
        for result in json.loads(results.read_text())["results"]
        if result["timing"] and result["status"] != _NOTHING_DONE
    )
    return Invocation(ran, relations)


def _node_run(result: dict[str, Any], node: Mapping[str, Any]) -> NodeRun:
    times = [datetime.fromisoformat(each[key]) for each in result["timing"] for key in ("started_at", "completed_at")]
    return NodeRun(
        unique_id=result["unique_id"],
        name=node.get("name") or result["unique_id"].rsplit(".", 1)[-1],
        status=result["status"],
        started_at=min(times),
        finished_at=max(times),
        message=result.get("message"),
        rows_affected=result.get("adapter_response", {}).get("rows_affected"),
        sql=result.get("compiled_code"),
        node=node,
    )
