"""The lineage of each dbt model that was built, and what the tests of each table found; told once dbt is through."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid5

import structlog

from pageviews_core.hour import Hour
from pageviews_core.lineage.base import Assertion, Column, ColumnSource, Dataset, Lineage, Task, Transformation
from pageviews_core.lineage.naming import TableNames
from transformer.node_runs import Invocation, NodeRun

COLUMN_LINEAGE = "column_lineage.json"
"""In the project's folder: by model and column, those that it is computed from, each with its dataset and how."""

_ColumnLineage = Mapping[str, Mapping[str, Sequence[tuple[str, str, Transformation]]]]

log = structlog.get_logger()


class ModelLineage:
    def __init__(self, lineage: Lineage, run: Task, tables: TableNames, project: Path) -> None:
        self._lineage = lineage
        self._run = run
        self._tables = tables
        self._file = project / COLUMN_LINEAGE

    def tell(self, invocation: Invocation, hours: Sequence[Hour], rows: Mapping[str, int]) -> None:
        """`rows`: of the hours, or of their days, in the models that are built by them."""
        columns = self._columns()
        for ran in invocation.nodes:
            if ran.node.get("resource_type") == "model":
                self._tell_model(ran, invocation, tuple(hours), rows, columns)
        tested: dict[str, list[NodeRun]] = defaultdict(list)
        for ran in invocation.nodes:
            if ran.node.get("resource_type") == "test":
                for of in _tested(ran, invocation):
                    tested[of].append(ran)
        for of, tests in tested.items():
            self._tell_tests(of, tests, invocation, tuple(hours), rows)

    def _columns(self) -> _ColumnLineage:
        try:
            found: _ColumnLineage = json.loads(self._file.read_text()) if self._file.exists() else {}
        except (OSError, ValueError) as exc:
            log.warning("column_lineage_unreadable", file=str(self._file), error=str(exc))
            return {}
        return found

    def _tell_model(
        self,
        ran: NodeRun,
        invocation: Invocation,
        hours: tuple[Hour, ...],
        rows: Mapping[str, int],
        columns: _ColumnLineage,
    ) -> None:
        task = Task(
            name=f"{self._run.name}.{ran.name}",
            id=uuid5(self._run.id, f"{ran.unique_id} {ran.started_at.isoformat()}"),
            kind="MODEL",
            hours=hours,
            parent=self._run,
            sql=ran.sql,
            description=ran.node.get("description") or None,
        )
        relations = invocation.relations
        inputs = [
            self._dataset(relations[each], rows.get(relations[each]["name"]))
            for each in ran.node["depends_on"]["nodes"]
            if each in relations
        ]
        by_name = {node["name"]: node for node in relations.values()}
        output = self._dataset(
            ran.node,
            rows.get(ran.name, ran.rows_affected),
            {
                column: [
                    ColumnSource(self._tables.namespace, self._name(by_name[source]), field, how)
                    for source, field, how in sources
                    if source in by_name
                ]
                for column, sources in columns.get(ran.name, {}).items()
            },
        )
        self._lineage.start(task, ran.started_at, inputs=inputs, outputs=[output])
        if ran.failed:
            self._lineage.fail(task, ran.finished_at, ran.message or ran.status)
        else:
            self._lineage.complete(task, ran.finished_at, inputs=inputs, outputs=[output])

    def _tell_tests(
        self,
        of: str,
        tests: Sequence[NodeRun],
        invocation: Invocation,
        hours: tuple[Hour, ...],
        rows: Mapping[str, int],
    ) -> None:
        """All tests of a table as one execution, whose input it is."""
        node = invocation.relations[of]
        began = min(test.started_at for test in tests)
        task = Task(
            name=f"{self._run.name}.{node['name']}.tests",
            id=uuid5(self._run.id, f"tests of {of} {began.isoformat()}"),
            kind="TEST",
            hours=hours,
            parent=self._run,
        )
        dataset = replace(self._dataset(node, rows.get(node["name"])), assertions=[_assertion(test) for test in tests])
        self._lineage.start(task, began, inputs=[dataset])
        # Also with tests that failed: they did run, and what they found is the dataset's.
        self._lineage.complete(task, max(test.finished_at for test in tests), inputs=[dataset])

    def _dataset(
        self, node: Mapping[str, Any], rows: int | None, lineage: Mapping[str, Sequence[ColumnSource]] | None = None
    ) -> Dataset:
        return Dataset(
            self._tables.namespace,
            self._name(node),
            columns=tuple(
                Column(column["name"], column.get("data_type"), column.get("description") or None)
                for column in node["columns"].values()
            ),
            description=node.get("description") or None,
            rows=rows,
            column_lineage=lineage or {},
        )

    def _name(self, node: Mapping[str, Any]) -> str:
        name = node.get("alias") or node.get("identifier") or node["name"]
        return self._tables.table(name, schema=node["schema"], database=node["database"])


def _tested(ran: NodeRun, invocation: Invocation) -> list[str]:
    """The table that it was written at, or else all that it reads."""
    attached: str | None = ran.node.get("attached_node")
    named: list[str] = [attached] if attached else ran.node["depends_on"]["nodes"]
    return [each for each in named if each in invocation.relations]


def _assertion(ran: NodeRun) -> Assertion:
    return Assertion(
        name=ran.name,
        kind=(ran.node.get("test_metadata") or {}).get("name") or "custom_sql",
        success=ran.status == "pass",
        severity=str(ran.node.get("config", {}).get("severity", "error")).lower(),
        column=ran.node.get("column_name"),
    )
