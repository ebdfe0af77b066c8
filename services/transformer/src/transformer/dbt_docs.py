"""dbt's own documentation of the project: one HTML file that needs nothing else, for the status service to serve.

It is what `dbt docs generate --static` makes, but for the catalog: columns and their types are those of the project's
contracts, which are enforced, so that no question to the warehouse is needed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pageviews_core import keys
from pageviews_core.job.session import Session

_MANIFEST, _CATALOG = '"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"'
_CHANGES_WITH_EACH_RUN = {"metadata", "created_at", "compiled", "compiled_code", "compiled_path", "build_path",
                          "extra_ctes", "extra_ctes_injected", "relation_name"}  # fmt: skip


def keep_docs(session: Session, target: Path) -> None:
    """Stores the page of the manifest in dbt's target folder, where the project has changed since the last one, whose
    page then goes."""
    manifest = target / "manifest.json"
    if not manifest.exists():
        return
    text = manifest.read_text()
    key = keys.dbt_docs(_digest(json.loads(text)))
    kept = {info.key for info in session.store.list(keys.DBT_DOCS)}
    if key not in kept:
        session.store.put(key, gzip.compress(docs_page(text).encode(), mtime=0))
    for other in kept - {key}:
        session.store.delete(other)


def docs_page(manifest: str) -> str:
    """The page with the manifest within it."""
    catalog = json.dumps(_catalog(json.loads(manifest)))
    page = files("dbt.task.docs").joinpath("index.html").read_text(encoding="utf-8")
    # In a script: only what would end it must not stand there as it is.
    for place, content in ((_MANIFEST, manifest), (_CATALOG, catalog)):
        page = page.replace(place, content.replace("</", "<\\/"), 1)
    return page


def _catalog(manifest: dict[str, Any]) -> dict[str, Any]:
    def described(nodes: dict[str, Any]) -> dict[str, Any]:
        return {
            unique_id: {
                "unique_id": unique_id,
                "metadata": {
                    "type": node.get("config", {}).get("materialized") or "table",
                    "database": node.get("database"),
                    "schema": node["schema"],
                    "name": node["name"],
                    "comment": None,
                    "owner": None,
                },
                "columns": {
                    column["name"]: {
                        "name": column["name"], "type": column.get("data_type") or "", "index": index, "comment": None
                    }
                    for index, column in enumerate(node["columns"].values(), 1)
                },
                "stats": {},
            }
            for unique_id, node in nodes.items()
            if node["columns"]
        }  # fmt: skip

    nodes, sources = described(manifest.get("nodes", {})), described(manifest.get("sources", {}))
    return {"metadata": {}, "nodes": nodes, "sources": sources, "errors": None}


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_lasting(manifest), sort_keys=True).encode()).hexdigest()[:16]


def _lasting(value: Any) -> Any:
    """Without what differs between two runs of the same project."""
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in value.items() if key not in _CHANGES_WITH_EACH_RUN}
    return [_lasting(each) for each in value] if isinstance(value, list) else value
