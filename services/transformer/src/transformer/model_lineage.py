"""The lineage of each dbt model that was built, told once dbt is through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid5

import structlog

from pageviews_core.hour import Hour
from pageviews_core.lineage.base import Column, ColumnSource, Dataset, Lineage, Task, Transformation
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
        """`rows`: of the hours' rows in the models that have some for each hour."""
        columns = self._columns()
        for ran in invocation.nodes:
            if ran.node.get("resource_type") == "model":
                self._tell_model(ran, invocation, tuple(hours), rows, columns)

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
