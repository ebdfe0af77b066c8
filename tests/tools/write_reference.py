"""Writes docs/data-dictionary.md from the dbt project and docs/api.md from the API's own description.

python -m tests.tools.write_reference [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import yaml

from status_api.main import create_app
from status_api.settings import StatusSettings

ROOT = Path(__file__).parents[2]
_MODELS = ROOT / "services/transformer/dbt/models"
_ORDER = ["marts", "staging", "intermediate", "_groups.yml"]
_DICTIONARY = """# Data dictionary

Every table of the schema `wikipedia`, as the dbt project describes it. Times are in UTC; an hour is named by its start.
Where the engines' types differ, DuckDB's comes first and Snowflake's second. A missing hour is unknown, never zero.

This page is written by `make docs` from the models' descriptions; `/docs/dbt` on the page of a running pipeline has
tests and SQL besides.
"""
_API = """# REST API

What the status service answers under `/api/v1`. `/api/v1/docs` on a running one is this with every parameter and
schema, to be tried out; `/api/v1/openapi.json` is for machines. Lists come as `{items, next_cursor}` with a Link
header, errors as problem+json. What changes something needs an operator (`Authorization: Bearer …`), and takes an
`Idempotency-Key` where it makes something.

This page is written by `make docs` from the service's own description.
"""


def data_dictionary() -> str:
    lines = [_DICTIONARY]
    for path in sorted(
        _MODELS.rglob("*.yml"), key=lambda path: (_ORDER.index(path.relative_to(_MODELS).parts[0]), path)
    ):
        content = yaml.safe_load(path.read_text())
        for model in content.get("models", ()):
            if "columns" in model:
                lines += _table(model["name"], path.parent.relative_to(_MODELS).parts, model)
        for source in content.get("sources", ()):
            for table in source["tables"]:
                if "columns" in table:
                    lines += _table(table.get("identifier", table["name"]), ("source",), table)
    return "\n".join(lines)


def _table(name: str, place: tuple[str, ...], described: dict[str, Any]) -> list[str]:
    title = _types(name) if "{{" in name else f"`{name}`"
    rows = [
        f"| `{column['name']}` | {_types(column.get('data_type', ''))} | {_one_line(column.get('description', ''))} |"
        for column in described["columns"]
    ]
    head = ["| column | type | |", "|---|---|---|"]
    about = f"{title}, {' / '.join(place)}. {_one_line(described['description'])}"
    return [f"## {described['name']}", "", about, "", *head, *rows, ""]


def _types(text: str) -> str:
    """On both engines, once where they are the same."""
    found = []
    for engine in ("duckdb", "snowflake"):
        made = jinja2.Template(text, autoescape=False).render(
            target=SimpleNamespace(type=engine, schema="wikipedia"),
            env_var=lambda name, default="": default,
            var=lambda name, default="": default,
        )
        found.append(f"`{made}`")
    return " / ".join(dict.fromkeys(found)) if text else ""


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def api_page() -> str:
    document = create_app(StatusSettings(session_key="k" * 32)).openapi()
    lines = [_API]
    for tag in document["tags"]:
        operations = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation.get("tags", ())
        ]
        if not operations:
            continue
        lines += [f"## {tag['name']}", "", tag["description"], "", "| | | |", "|---|---|---|"]
        for path, method, operation in operations:
            about = operation.get("description") or operation.get("summary", "")
            lines.append(f"| {method.upper()} | `{path}` | {_one_line(about.split(chr(10) * 2)[0])} |")
        lines.append("")
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """The files' text, by path."""
    return {"docs/data-dictionary.md": data_dictionary(), "docs/api.md": api_page()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the files are stale, and change nothing")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    if check and stale:
        print(f"Stale: {', '.join(stale)}. Run `make docs` and commit the result.", file=sys.stderr)
        return 1
    for path in stale:
        (ROOT / path).write_text(pages()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
