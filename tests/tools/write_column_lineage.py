"""Writes the dbt project's column_lineage.json: which columns each column of each model is computed from.

python -m tests.tools.write_column_lineage [--check]

From the SQL that dbt runs for one hour on a small embedded warehouse. What a model reads of its own earlier hours is
left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.lineage import Node, lineage

from tests.integration.dbt.warehouse import PROJECT, Warehouse

FILE = "column_lineage.json"
HOUR = "2026-11-20T09"

Sources = list[list[str]]
"""Dataset (a dbt node's name), column, and how: IDENTITY, TRANSFORMATION or AGGREGATION."""


def built(project: Path, folder: Path) -> dict[str, Any]:
    """The manifest of the project, with its models' SQL for one hour."""
    warehouse = Warehouse(folder, folder / "no-manifest", project=project)
    warehouse.create()
    warehouse.load(HOUR, [("en", "Earth", 1)])
    result = warehouse.build(HOUR)
    if not result.success:
        raise RuntimeError(f"dbt did not build {project}: {result.messages()}")
    manifest: dict[str, Any] = json.loads((folder / "target" / "manifest.json").read_text())
    return manifest


def column_lineage(manifest: Mapping[str, Any]) -> dict[str, dict[str, Sources]]:
    """By model and column; a column that comes from no other has none."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    relations = [node for node in nodes.values() if node["resource_type"] in ("model", "seed", "source")]
    tables: dict[str, Any] = {}
    for node in relations:
        columns = {name: column.get("data_type") or "text" for name, column in node["columns"].items()}
        tables.setdefault(node["database"], {}).setdefault(node["schema"], {})[_table(node)] = columns
    names = {_table(node): node["name"] for node in relations}
    return {
        node["name"]: {
            column: _sources(lineage(column, node["compiled_code"], schema=tables, dialect="duckdb"), names, node)
            for column in node["columns"]
        }
        for node in sorted(relations, key=lambda node: str(node["name"]))
        if node["resource_type"] == "model" and node["columns"]
    }


def _table(node: Mapping[str, Any]) -> str:
    return str(node.get("identifier") or node.get("alias") or node["name"]).lower()


def _sources(root: Node, names: Mapping[str, str], model: Mapping[str, Any]) -> Sources:
    found: dict[tuple[str, str], str] = {}
    for leaf, how in _leaves(root, "IDENTITY"):
        table = leaf.source
        assert isinstance(table, exp.Table)
        source = names.get(table.name.lower())
        if source is None or source == model["name"]:
            continue
        key = (source, leaf.name.rsplit(".", 1)[-1].strip('"'))
        found[key] = max(found.get(key, how), how, key=_STRENGTH.index)
    return [[source, column, how] for (source, column), how in sorted(found.items())]


_STRENGTH = ["IDENTITY", "TRANSFORMATION", "AGGREGATION"]


def _leaves(node: Node, how: str) -> Iterator[tuple[Node, str]]:
    """The columns of tables below the node, each with the strongest of what happens to it on the way."""
    if not node.downstream:
        if isinstance(node.source, exp.Table):
            yield node, how
        return
    expression = node.expression.unalias()
    if isinstance(expression, exp.Select | exp.SetOperation | exp.Table | exp.Column | exp.Paren):
        done = "IDENTITY"
    elif expression.find(exp.AggFunc):
        done = "AGGREGATION"
    else:
        done = "TRANSFORMATION"
    for below in node.downstream:
        yield from _leaves(below, max(how, done, key=_STRENGTH.index))


def as_text(found: Mapping[str, Mapping[str, Sources]]) -> str:
    """JSON with one line for each column."""
    models = []
    for model, columns in found.items():
        lines = [f"    {json.dumps(column)}: {json.dumps(sources)}" for column, sources in columns.items()]
        models.append(f"  {json.dumps(model)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(models) + "\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the file is stale, and change nothing")
    parser.add_argument("--project", type=Path, default=PROJECT, help="of your own; default: the one in this checkout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = as_text(column_lineage(built(options.project, Path(folder))))
    file = options.project / FILE
    if file.exists() and file.read_text() == text:
        return 0
    if options.check:
        print(f"Stale: {file.name}. Run `make docs` and commit the result.", file=sys.stderr)
        return 1
    file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
