"""dbt in this process: one invocation for exactly the given (hour, generation) pairs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from dbt.cli.main import dbtRunner

from pageviews_core.errors import LeaseLost, StoreUnavailable, TransformFailed
from pageviews_core.records.marker import NodeResult
from transformer.dbt_environment import dbt_environment
from transformer.dbt_manifest import prepared_manifest
from transformer.node_runs import FAILED
from transformer.protocol import BatchHour
from transformer.row_counts import DAY_COLUMN, HOUR_COLUMN, BuiltTable
from transformer.settings import TransformerSettings

log = structlog.get_logger()

_TOLD = {"LogModelResult", "LogTestResult", "LogSeedResult", "LogHookEndLine", "LogSnapshotResult"}
"""dbt's events that are worth a line each, beside its warnings and errors."""
_RAISED = {"MainEncounteredError", "MainStackTrace"}
"""Those that come back as the invocation's exception."""
_MESSAGE_LENGTH = 600


_OVERTAKEN = ("Could not set lock", "superseded: hour", "input gone: ")


class Overtaken(Exception):
    """Another process was in the warehouse just before dbt: look again, then try again."""


@dataclass(frozen=True)
class Built:
    invocation_id: str
    nodes: tuple[NodeResult, ...]
    warnings: tuple[str, ...]
    tables: dict[str, BuiltTable]
    """Of each model that was built by hours or days."""


def build(
    hours: Sequence[BatchHour],
    models: Sequence[str],
    settings: TransformerSettings,
    folder: Path,
    *,
    run_id: str,
    engine_memory: int,
) -> Built:
    """Builds and tests; the artifacts stay in `folder/target`.

    Raises TransformFailed with what dbt said, LeaseLost where a newer process has claimed an hour, StoreUnavailable
    where a disk is full, and Overtaken where the warehouse was held, or its raw rows changed, between the caller's look
    and dbt's.
    """
    os.environ.update(dbt_environment(settings, engine_memory=engine_memory))
    os.environ["PAGEVIEWS_QUERY_TAG"] = json.dumps(
        {"app": "wikipedia-pageviews", "run_id": run_id, "hour": f"{hours[0].hour}…{hours[-1].hour}", "step": "dbt"}
    )
    manifest = prepared_manifest(settings)
    pairs = [{"hour": str(item.hour), "generation": item.generation, "fence": item.fence} for item in hours]
    arguments = [
        "build",
        "--exclude-resource-type", "unit_test",
        "--vars", json.dumps({"hours": pairs}),
        "--project-dir", str(settings.dbt_project_folder()),
        "--profiles-dir", str(settings.dbt_project_folder()),
        "--target-path", str(folder / "target"),
        "--log-path", str(folder / "logs"),
        "--log-level", "none",
        "--log-level-file", "none",
        *(["--select", *models] if models else []),
    ]  # fmt: skip
    outcome = dbtRunner(manifest=manifest, callbacks=[_log_event]).invoke(arguments)
    _close_connections()
    if outcome.exception is not None:
        said = _shortened(str(outcome.exception))
        _raise_what_no_hour_can_help(said)
        raise TransformFailed(f"dbt could not run: {said}")
    nodes = tuple(_node(result) for result in outcome.result.results)
    failed = [node for node in nodes if node.status in FAILED]
    if failed or not outcome.success:
        said = "; ".join(f"{node.name}: {node.message or node.status}" for node in failed[:3])
        _raise_what_no_hour_can_help(said)
        raise TransformFailed(f"dbt: {len(failed)} of {len(nodes)} nodes failed: {said}")
    warnings = tuple(node.name for node in nodes if node.status == "warn")
    return Built(
        invocation_id=_invocation_id(folder / "target"),
        nodes=nodes,
        warnings=warnings,
        tables=dict(
            _built_by_time(result.node)
            for result in outcome.result.results
            if _is_built_by_time(getattr(result, "node", None))
        ),
    )


def _raise_what_no_hour_can_help(said: str) -> None:
    """What the project's `claim_hours`, or the engine at its first connection, refuses on another one's account, and
    what it has no room for."""
    if "lease lost" in said:
        raise LeaseLost(said)
    if any(reason in said for reason in _OVERTAKEN):
        raise Overtaken(said)
    if os.strerror(errno.ENOSPC) in said:
        raise StoreUnavailable(f"dbt met a full disk: {said}. Free some room, or set PAGEVIEWS_SCRATCH_DIR")


def _close_connections() -> None:
    # dbt keeps the warehouse's file after it has returned, and nobody else could open it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def _invocation_id(target: Path) -> str:
    with (target / "run_results.json").open() as file:
        return str(json.load(file)["metadata"]["invocation_id"])


def _node(result: Any) -> NodeResult:
    return NodeResult(
        name=result.node.name if getattr(result, "node", None) else str(getattr(result, "unique_id", "hook")),
        resource_type=str(getattr(getattr(result, "node", None), "resource_type", "operation")),
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        failures=result.failures,
        message=_shortened(result.message) if result.message else None,
    )


def _is_built_by_time(node: Any) -> bool:
    return str(getattr(node, "resource_type", "")) == "model" and node.config.unique_key in (HOUR_COLUMN, DAY_COLUMN)


def _built_by_time(node: Any) -> tuple[str, BuiltTable]:
    return node.name, BuiltTable(f"{node.schema}.{node.alias}", node.config.unique_key)


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LENGTH]


def _log_event(event: Any) -> None:
    """dbt's events in our own stream, each with its node."""
    level = str(event.info.level)
    if event.info.name in _RAISED or (event.info.name not in _TOLD and level not in ("warn", "error")):
        return
    node = getattr(getattr(event.data, "node_info", None), "node_name", "") or None
    say = {"warn": log.warning, "error": log.error}.get(level, log.info)
    fields = {"model": node} if node else {}
    say("dbt_event", dbt_event=event.info.name, text=event.info.msg, step="dbt", **fields)
