from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import session_on

from pageviews_core import keys
from transformer.dbt_docs import docs_page, keep_docs


def _manifest(target: Path, *, model: str = "fct", sql: str = "select 1", run: str = "one") -> Path:
    """As dbt writes it: some fields are of the run, the others of the project."""
    columns = {"views": {"name": "views", "data_type": "bigint"}, "note": {"name": "note"}}
    node: dict[str, Any] = {
        "name": model, "schema": "wikipedia", "database": "warehouse", "raw_code": sql, "columns": columns,
        "config": {"materialized": "incremental"}, "created_at": run, "compiled_code": f"{sql} -- {run}",
    }  # fmt: skip
    content = {"metadata": {"invocation_id": run}, "nodes": {f"model.pageviews.{model}": node}, "sources": {}}
    (target / "manifest.json").write_text(json.dumps(content))
    return target


def _keep(store: InMemoryObjectStore, target: Path) -> str:
    """The one page that is then there."""
    with session_on(store, FakeClock(), job="transformer") as session:
        keep_docs(session, target)
    (kept,) = [info.key for info in store.list(keys.DBT_DOCS)]
    return kept


def test_another_run_of_the_same_project_leaves_the_page_as_it_is(tmp_path: Path) -> None:
    store = InMemoryObjectStore()
    first = _keep(store, _manifest(tmp_path))
    etag = store.head(first).etag
    assert _keep(store, _manifest(tmp_path, run="two")) == first
    assert store.head(first).etag == etag


def test_the_page_is_the_last_builds_also_where_the_project_is_set_back(tmp_path: Path) -> None:
    store = InMemoryObjectStore()
    before = _keep(store, _manifest(tmp_path))
    after = _keep(store, _manifest(tmp_path, sql="select 2"))
    assert after != before
    assert "select 2" in gzip.decompress(store.get(after)[0]).decode()
    assert _keep(store, _manifest(tmp_path)) == before
    assert "select 2" not in gzip.decompress(store.get(before)[0]).decode()


def test_a_build_that_left_no_manifest_keeps_what_there_is(tmp_path: Path) -> None:
    store = InMemoryObjectStore()
    kept = _keep(store, _manifest(tmp_path))
    (tmp_path / "manifest.json").unlink()
    assert _keep(store, tmp_path) == kept


def test_types_are_of_the_contract_and_no_text_ends_the_script(tmp_path: Path) -> None:
    manifest = (_manifest(tmp_path, sql="select '</script>'") / "manifest.json").read_text()
    page = docs_page(manifest)
    assert '"type": "bigint"' in page
    assert "INLINE DATA" not in page
    assert "select '</script>'" not in page
    assert "select '<\\/script>'" in page
