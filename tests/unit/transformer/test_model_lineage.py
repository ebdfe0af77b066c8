from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from tests import samples

from pageviews_core.lineage.base import Assertion, Column, ColumnSource, Dataset, Datasets, Task, task_of_run
from pageviews_core.lineage.naming import TableNames
from transformer.model_lineage import COLUMN_LINEAGE, ModelLineage
from transformer.node_runs import Invocation, NodeRun

RUN = task_of_run("transformer", "01JD4Q2Z5V0000000000000002")
HOURS = [samples.hour("2026-11-20T09"), samples.hour("2026-11-20T10")]
TABLES = TableNames("duckdb:///w.duckdb", "w", "wikipedia", one_file=True)


@dataclass
class Told:
    """What a receiver would be told."""

    found: list[tuple[str, Task, datetime, Datasets, Datasets, str]] = field(default_factory=list)

    def start(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        self.found.append(("start", task, at, inputs, outputs, ""))

    def complete(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        self.found.append(("complete", task, at, inputs, outputs, ""))

    def abort(self, task: Task, at: datetime) -> None:
        raise AssertionError("a model is not given up")

    def fail(self, task: Task, at: datetime, error: str) -> None:
        self.found.append(("fail", task, at, (), (), error))


def node(kind: str, name: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {
        "resource_type": kind,
        "name": name,
        "database": "anything",
        "schema": "wikipedia",
        "columns": {"view_count": {"name": "view_count", "data_type": "bigint", "description": "Views."}},
        "depends_on": {"nodes": list(needs)},
        "description": f"All about {name}.",
        **more,
    }


NODES = {
    "source.p.raw": node("source", "raw_pageviews", identifier="RAW_TABLE"),
    "model.p.stg": node("model", "stg", "source.p.raw", "test.p.none"),
    "model.p.fct": node("model", "fct", "model.p.stg", alias="facts"),
}


def ran(unique_id: str, **more: Any) -> NodeRun:
    given = NODES.get(unique_id, {"resource_type": "operation"})
    run = NodeRun(
        unique_id=unique_id,
        name=unique_id.split(".")[-1],
        status="success",
        started_at=samples.AT,
        finished_at=samples.AT + timedelta(seconds=2),
        message=None,
        rows_affected=None,
        sql="select 1",
        node=given,
    )
    return replace(run, **more)


def told(project: Path, *nodes: NodeRun, rows: dict[str, int] | None = None) -> Told:
    lineage = Told()
    ModelLineage(lineage, RUN, TABLES, project).tell(Invocation(nodes, NODES), HOURS, rows or {})
    return lineage


def test_a_model_starts_and_completes_with_its_tables(tmp_path: Path) -> None:
    lineage = told(tmp_path, ran("model.p.stg"), rows={"stg": 12})
    (first, task, began, inputs, _, _), (last, same, ended, _, outputs, _) = lineage.found
    assert (first, last, same) == ("start", "complete", task)
    assert ended - began == timedelta(seconds=2)
    assert (task.name, task.kind, task.parent, task.hours) == ("transformer.stg", "MODEL", RUN, tuple(HOURS))
    assert (task.sql, task.description) == ("select 1", "All about stg.")
    assert [each.name for each in inputs] == ["w.wikipedia.raw_table"]
    assert outputs == [
        Dataset(
            "duckdb:///w.duckdb",
            "w.wikipedia.stg",
            columns=(Column("view_count", "bigint", "Views."),),
            description="All about stg.",
            rows=12,
        )
    ]


def test_a_failed_model_says_why(tmp_path: Path) -> None:
    lineage = told(tmp_path, ran("model.p.fct", status="error", message="no room"))
    assert [(each[0], each[-1]) for each in lineage.found] == [("start", ""), ("fail", "no room")]


def test_only_models_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, ran("test.p.some")).found == []


def test_rows_are_those_of_the_hours_and_else_the_adapters(tmp_path: Path) -> None:
    lineage = told(
        tmp_path, ran("model.p.stg", rows_affected=99), ran("model.p.fct", rows_affected=5), rows={"stg": 12}
    )
    outputs = [each[4][0].rows for each in lineage.found if each[0] == "complete"]
    inputs = [each[3][0].rows for each in lineage.found if each[0] == "complete"]
    assert (inputs, outputs) == ([None, 12], [12, 5])


def test_the_same_model_of_another_batch_is_another_task(tmp_path: Path) -> None:
    lineage = told(tmp_path, ran("model.p.stg"), ran("model.p.stg", started_at=samples.AT + timedelta(minutes=1)))
    assert len({each[1].id for each in lineage.found}) == 2


def test_columns_come_from_the_projects_file(tmp_path: Path) -> None:
    columns = {"fct": {"view_count": [["stg", "view_count", "IDENTITY"], ["gone", "x", "IDENTITY"]]}}
    (tmp_path / COLUMN_LINEAGE).write_text(json.dumps(columns))
    lineage = told(tmp_path, ran("model.p.fct"))
    assert lineage.found[-1][4][0].column_lineage == {
        "view_count": [ColumnSource("duckdb:///w.duckdb", "w.wikipedia.stg", "view_count", "IDENTITY")]
    }


def test_a_broken_file_of_columns_costs_the_columns_alone(tmp_path: Path) -> None:
    (tmp_path / COLUMN_LINEAGE).write_text("{")
    with capture_logs() as logs:
        lineage = told(tmp_path, ran("model.p.fct"))
    assert lineage.found[-1][4][0].column_lineage == {}
    assert [each["event"] for each in logs] == ["column_lineage_unreadable"]


def test_the_tests_of_a_table_are_told_with_what_they_found(tmp_path: Path) -> None:
    needs = {"depends_on": {"nodes": ["model.p.stg", "model.p.fct", "macro.p.x"]}}
    generic = {
        "resource_type": "test", "attached_node": "model.p.stg", "column_name": "view_count",
        "test_metadata": {"name": "not_null"}, "config": {"severity": "WARN"}, **needs,
    }  # fmt: skip
    over_both = {"resource_type": "test", "config": {"severity": "ERROR"}, **needs}
    later = samples.AT + timedelta(seconds=9)
    found = told(
        tmp_path,
        ran("test.p.filled", node=generic, status="warn"),
        ran("test.p.sums", node=over_both, status="pass", started_at=samples.AT - timedelta(seconds=1)),
        ran("test.p.none", node={**over_both, "depends_on": {"nodes": []}}, status="fail"),
        ran("test.p.late", node=over_both, status="error", finished_at=later),
        rows={"stg": 7},
    ).found
    filled = Assertion("filled", "not_null", success=False, severity="warn", column="view_count")
    sums = Assertion("sums", "custom_sql", success=True, severity="error")
    late = Assertion("late", "custom_sql", success=False, severity="error")
    assert [(each[0], each[1].name, each[1].kind, each[1].parent) for each in found] == [
        (event, name, "TEST", RUN)
        for name in ("transformer.stg.tests", "transformer.fct.tests")
        for event in ("start", "complete")
    ]
    stg, fct = found[1], found[3]
    assert [(each.name, each.rows, each.assertions) for each in stg[3]] == [
        ("w.wikipedia.stg", 7, [filled, sums, late])
    ]
    assert [(each.name, each.assertions) for each in fct[3]] == [("w.wikipedia.facts", [sums, late])]
    assert (found[0][2], stg[2]) == (samples.AT - timedelta(seconds=1), later)
    assert not any(each[4] for each in found)
    assert len({each[1].id for each in found}) == 2
