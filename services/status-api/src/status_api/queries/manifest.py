"""dbt's artifacts of the newest builds: small extracts, kept for as long as they are looked at.

The objects are immutable, so an extract never ages; what grows is only the list of a run's objects while it runs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from graphlib import TopologicalSorter
from typing import Annotated, Any, Self, TypeVar

import structlog
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ValidationError, model_validator

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectNotFound, ObjectStore
from status_api.view import View

BUILDS_AT_MOST = 10
"""Whose results are read for one answer."""
_RUNS_AT_MOST = 20
"""Looked at for artifacts: a run that got no further than the warehouse's door leaves none."""
_UNPACKED_AT_MOST = 16 * 1024**2
"""Bytes; a real manifest has 1 MB."""
_SQL_AT_MOST = 20_000
"""Characters."""

log = structlog.get_logger()


def _shortened(value: Any) -> Any:
    return value[:_SQL_AT_MOST] if isinstance(value, str) else value


Sql = Annotated[str | None, BeforeValidator(_shortened)]


class Constraint(BaseModel):
    type: str


class Column(BaseModel):
    name: str
    description: str = ""
    data_type: str | None = None
    constraints: tuple[Constraint, ...] = ()


class NodeConfig(BaseModel):
    materialized: str | None = None
    unique_key: Any = None


class Dependencies(BaseModel):
    nodes: tuple[str, ...] = ()


class GenericTest(BaseModel):
    name: str


class Node(BaseModel):
    """A model, seed, source or test; of the rest nothing but its kind is used."""

    unique_id: str
    name: str
    resource_type: str
    package_name: str
    fqn: tuple[str, ...] = ()
    description: str = ""
    config: NodeConfig = NodeConfig()
    depends_on: Dependencies = Dependencies()
    columns: dict[str, Column] = {}
    raw_code: Sql = None
    compiled_code: Sql = None
    attached_node: str | None = None
    column_name: str | None = None
    test_metadata: GenericTest | None = None


class Metadata(BaseModel):
    project_name: str


class Manifest(BaseModel):
    metadata: Metadata
    nodes: dict[str, Node]
    sources: dict[str, Node] = {}

    @model_validator(mode="after")
    def _acyclic(self) -> Self:
        TopologicalSorter({name: node.depends_on.nodes for name, node in self.nodes.items()}).prepare()
        return self  # a CycleError is a ValueError


class _Timing(BaseModel):
    name: str
    completed_at: AwareDatetime | None = None


class _AdapterResponse(BaseModel):
    rows_affected: int | None = None


class _Result(BaseModel):
    unique_id: str
    status: str
    execution_time: float = 0.0
    failures: int | None = None
    timing: tuple[_Timing, ...] = ()
    adapter_response: _AdapterResponse = _AdapterResponse()


class _RunMetadata(BaseModel):
    generated_at: AwareDatetime


class _RunResults(BaseModel):
    metadata: _RunMetadata
    results: tuple[_Result, ...]


@dataclass(frozen=True, slots=True)
class NodeResult:
    run: str
    status: str
    finished_at: datetime
    seconds: float
    failures: int | None
    rows: int | None


_NOT_RUN = frozenset({"skipped", "no-op"})
FAILED = frozenset({"error", "fail", "runtime error"})


def newest_manifest(view: View) -> Manifest | None:
    """Of the newest build that left one which can be read; None where there is none among the newest runs."""
    for _, key in _artifacts(view, "manifest.json.gz"):
        manifest = view.extracts.get("manifest", key, partial(_read, view.store, key, Manifest), at_most=2)
        if manifest is not None:
            return manifest
    return None


@dataclass(frozen=True, slots=True)
class Builds:
    results: dict[str, list[NodeResult]]
    """By the node's unique id, newest first; what was skipped is left out."""
    all_read: bool
    """There are no older builds than these."""


def newest_builds(view: View, *, at_least: frozenset[str] | None = None) -> Builds:
    """Results of up to BUILDS_AT_MOST builds; with `at_least`, of only as many as give each of these nodes one."""
    results: dict[str, list[NodeResult]] = {}
    for number, (run, key) in enumerate(_artifacts(view, "run_results.json.gz")):
        if number == BUILDS_AT_MOST or (at_least is not None and at_least <= results.keys()):
            return Builds(results, all_read=False)
        for node, result in _results(view, run, key).items():
            results.setdefault(node, []).append(result)
    runs = view.index.rows("select coalesce(sum(count), 0) as runs from run_counts where job = 'transformer'")[0][
        "runs"
    ]
    return Builds(results, all_read=runs <= _RUNS_AT_MOST)


def _artifacts(view: View, name: str) -> Iterator[tuple[str, str]]:
    """The run and key of each such object of the newest runs, newest first."""
    newest = "select id, state from runs where job = 'transformer' order by id desc limit ?"
    for row in view.index.rows(newest, _RUNS_AT_MOST):
        for key in reversed(_listed(view, row["id"], running=row["state"] == "running")):
            if key.endswith(f"/{name}"):
                yield row["id"], key


def _listed(view: View, run: str, *, running: bool) -> tuple[str, ...]:
    """The keys of the run's artifacts; while it runs they may be more with each version of the index."""

    def listed() -> tuple[str, ...]:
        return tuple(info.key for info in view.store.list(f"{keys.run(run)}/artifacts/"))

    seen_at = view.index.version if running else None
    return view.extracts.get("artifacts", (run, seen_at), listed, at_most=2 * _RUNS_AT_MOST)


def _results(view: View, run: str, key: str) -> dict[str, NodeResult]:
    """By unique id; empty where the object cannot be read."""

    def results() -> dict[str, NodeResult]:
        found = _read(view.store, key, _RunResults)
        if found is None:
            return {}
        return {
            result.unique_id: NodeResult(
                run=run,
                status=result.status,
                finished_at=max(
                    (timing.completed_at for timing in result.timing if timing.completed_at),
                    default=found.metadata.generated_at,
                ),
                seconds=round(result.execution_time, 3),
                failures=result.failures,
                rows=result.adapter_response.rows_affected,
            )
            for result in found.results
            if result.status not in _NOT_RUN
        }

    return view.extracts.get("run_results", key, results, at_most=2 * BUILDS_AT_MOST)


M = TypeVar("M", bound=BaseModel)


def _read(store: ObjectStore, key: str, model: type[M]) -> M | None:
    """Only the model's fields become objects: the rest, nine tenths of a manifest, is passed over."""
    try:
        body, _ = store.get(key)
        unpacking = zlib.decompressobj(wbits=31)
        text = unpacking.decompress(body, _UNPACKED_AT_MOST)
        if not unpacking.eof:
            raise ValueError("cut short, or too large")
        return model.model_validate_json(text)
    except ObjectNotFound:
        log.warning("artifact_gone", key=key)
    except (zlib.error, ValidationError, ValueError) as exc:
        log.warning("artifact_refused", key=key, error=" ".join(str(exc).split())[:300])
    return None
