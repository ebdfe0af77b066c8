from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformer.node_runs import read_invocation

MODEL = {
    "resource_type": "model",
    "name": "fct_wikipedia_pageviews",
    "database": "warehouse",
    "schema": "wikipedia",
    "columns": {},
}
SOURCE = {"resource_type": "source", "name": "raw_pageviews"}
TEST = {"resource_type": "test", "name": "facts_equal_ledger"}


def result(unique_id: str, status: str = "success", **more: Any) -> dict[str, Any]:
    timing = [
        {"started_at": "2026-11-20T10:16:01.000000Z", "completed_at": "2026-11-20T10:16:01.250000Z"},
        {"started_at": "2026-11-20T10:16:01.300000Z", "completed_at": "2026-11-20T10:16:02.000000Z"},
    ]
    return {"unique_id": unique_id, "status": status, "timing": timing, "adapter_response": {}, **more}


def write(folder: Path, *results: dict[str, Any]) -> None:
    (folder / "run_results.json").write_text(json.dumps({"results": results}))
    nodes = {"model.p.fct": MODEL, "test.p.facts": TEST}
    (folder / "manifest.json").write_text(json.dumps({"nodes": nodes, "sources": {"source.p.raw": SOURCE}}))


def test_dbt_that_never_ran_leaves_nothing(tmp_path: Path) -> None:
    assert read_invocation(tmp_path) is None
    (tmp_path / "manifest.json").write_text("{}")
    assert read_invocation(tmp_path) is None


def test_a_node_runs_from_its_first_time_to_its_last(tmp_path: Path) -> None:
    write(tmp_path, result("model.p.fct", compiled_code="select 1", adapter_response={"rows_affected": 7}))
    invocation = read_invocation(tmp_path)
    assert invocation is not None
    [ran] = invocation.nodes
    assert ran.started_at == datetime(2026, 11, 20, 10, 16, 1, tzinfo=UTC)
    assert ran.finished_at == datetime(2026, 11, 20, 10, 16, 2, tzinfo=UTC)
    assert (ran.name, ran.sql, ran.rows_affected, ran.failed) == ("fct_wikipedia_pageviews", "select 1", 7, False)
    assert set(invocation.relations) == {"model.p.fct", "source.p.raw"}


def test_what_failed_is_told_from_what_was_skipped_and_what_is_no_node(tmp_path: Path) -> None:
    write(
        tmp_path,
        result("model.p.fct", "error", message="no such column"),
        result("test.p.facts", "skipped", timing=[]),
        result("operation.p.on-run-start-0"),
        result("exposure.p.analysts", "no-op"),
    )
    invocation = read_invocation(tmp_path)
    assert invocation is not None
    failed, hook = invocation.nodes
    assert (failed.failed, failed.message) == (True, "no such column")
    assert (hook.name, hook.failed, hook.node) == ("on-run-start-0", False, {})
