"""Assets and their lineage: the newest build's manifest, with the source's files before it and the published last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

from status_api.queries.answers import Answer, NotFound, UtcTime
from status_api.queries.freshness import AssetState, Freshness, loads
from status_api.queries.layers import lay_out
from status_api.queries.manifest import Builds, Manifest, Node, NodeResult, newest_builds, newest_manifest
from status_api.view import View

SOURCE_OBJECT = "wikimedia_dumps"
PUBLISHED_FROM: Mapping[str, tuple[str, ...]] = {
    "pulse": ("dim_hour", "page_views_hourly", "top_pages_hourly", "traffic_by_kind_hourly", "traffic_hourly"),
    "trending": (
        "dim_hour",
        "page_views_daily",
        "page_views_hourly",
        "top_pages_left_out_hourly",
        "trending_pages_daily",
        "trending_pages_hourly",
    ),
    "top": ("dim_hour", "top_pages_daily", "top_pages_hourly", "top_pages_left_out_hourly", "traffic_hourly"),
    "traffic": ("dim_hour", "traffic_hourly"),
    "series": (
        "dim_hour",
        "fct_wikipedia_pageviews",
        "page_views_daily",
        "page_views_hourly",
        "top_pages_daily",
        "top_pages_hourly",
        "trending_pages_daily",
        "trending_pages_hourly",
    ),
}
"""What the transformer reads for each published result."""
_DESCRIPTIONS = {
    SOURCE_OBJECT: "Wikimedia's hourly pageviews files, as the dumps server publishes them.",
    "pulse": "The newest hour at a glance.",
    "trending": "The articles that rose far over their own baseline, by the hour and by the day.",
    "top": "The articles with the most views of the largest projects, by the hour and by the day.",
    "traffic": "Views by project and access, of the last 168 hours and 35 days.",
    "series": "Hours and days of each article that is in `top`, in `trending` or in PAGEVIEWS_WATCH.",
}
_HOURS_OF_HISTORY = 30

AssetKind = Literal["source_object", "source", "seed", "model", "published"]


class AssetColumn(Answer):
    name: str
    type: str
    description: str
    tests: tuple[str, ...]


class AssetTest(Answer):
    name: str
    column: str | None
    status: str | None
    failures: int | None
    seconds: float | None


class Asset(Answer):
    name: str
    kind: AssetKind
    group: str
    description: str
    materialized: str | None
    state: AssetState
    """`failed`: its newest build, or a test of it, failed. `stale`: last built longer ago than is expected."""
    last_built_at: UtcTime | None
    last_run: str | None
    seconds: float | None
    rows: int | None
    """Of the newest hour or build, where known."""
    expected_every_seconds: int | None
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]


class AssetDetail(Answer):
    asset: Asset
    columns: tuple[AssetColumn, ...]
    tests: tuple[AssetTest, ...]
    sql: str | None
    history: tuple[tuple[UtcTime, str, float], ...]
    """Of the last builds: when, status, seconds; newest first, at most 30."""


class LineageNode(Answer):
    name: str
    kind: AssetKind
    state: str
    layer: int
    """0 the sources."""
    row: int


class Lineage(Answer):
    nodes: tuple[LineageNode, ...]
    edges: tuple[tuple[str, str], ...]
    layers: int
    rows: int


def list_assets(view: View) -> tuple[Asset, ...]:
    """From the source to what is published, each after what it is made from. Empty until the first build.

    Raises what the store raises.
    """
    picture = _picture(view)
    return tuple(picture.assets.values()) if picture else ()


def read_asset(view: View, name: str) -> AssetDetail:
    """Raises NotFound, and what the store raises.

    The history is of the newest builds whose results are read; of a source, of the newest hours.
    """
    picture = _picture(view)
    asset = picture.assets.get(name) if picture else None
    if picture is None or asset is None:
        raise NotFound(f"no asset is called {name!r}")
    node = picture.nodes.get(name)
    history: tuple[tuple[UtcTime, str, float], ...] = ()
    if asset.kind in ("source", "source_object"):
        history = loads(view, _HOURS_OF_HISTORY)
    elif node is not None:
        built = newest_builds(view).results.get(node.unique_id, [])
        history = tuple((result.finished_at, result.status, result.seconds) for result in built)
    if node is None:
        return AssetDetail(asset=asset, columns=(), tests=(), sql=None, history=history)
    tests = picture.tests.get(node.unique_id, ())
    return AssetDetail(
        asset=asset,
        columns=tuple(
            AssetColumn(
                name=column.name,
                type=column.data_type or "",
                description=_text(column.description),
                tests=(
                    *(constraint.type for constraint in column.constraints),
                    *(
                        test.test_metadata.name
                        for test in tests
                        if test.column_name == column.name and test.test_metadata
                    ),
                ),
            )
            for column in node.columns.values()
        ),
        tests=tuple(_test(test, picture.builds.results.get(test.unique_id)) for test in tests),
        sql=node.compiled_code or node.raw_code or None,
        history=history,
    )


def read_lineage(view: View) -> Lineage:
    """Empty until the first build. Raises what the store raises."""
    picture = _picture(view)
    if picture is None:
        return Lineage(nodes=(), edges=(), layers=0, rows=0)
    places = lay_out(
        {name: asset.upstream for name, asset in picture.assets.items()},
        last=[name for name, asset in picture.assets.items() if asset.kind == "published"],
    )
    nodes = [
        LineageNode(name=name, kind=asset.kind, state=asset.state, layer=places[name].layer, row=places[name].row)
        for name, asset in picture.assets.items()
    ]
    return Lineage(
        nodes=tuple(sorted(nodes, key=lambda node: (node.layer, node.row))),
        edges=tuple((before, name) for name, asset in picture.assets.items() for before in asset.upstream),
        layers=1 + max(node.layer for node in nodes),
        rows=1 + max(node.row for node in nodes),
    )


@dataclass(frozen=True)
class _Picture:
    assets: dict[str, Asset]
    nodes: dict[str, Node]
    """By name: models, seeds and sources."""
    tests: dict[str, tuple[Node, ...]]
    """By the unique id of what they test."""
    builds: Builds


def _picture(view: View) -> _Picture | None:
    """None where there is no build yet."""
    manifest = newest_manifest(view)
    if manifest is None:
        return None
    nodes = {
        node.unique_id: node
        for node in (*manifest.sources.values(), *manifest.nodes.values())
        if node.package_name == manifest.metadata.project_name and node.resource_type in _KINDS
    }
    tests = _tests(manifest, nodes)
    wanted = frozenset(one for one, node in nodes.items() if node.resource_type != "source")
    builds = newest_builds(view, at_least=wanted)
    names = _names(nodes.values())
    upstream = _upstream(nodes, names)
    downstream: dict[str, list[str]] = {name: [] for name in upstream}
    for name, befores in upstream.items():
        for before in befores:
            downstream[before].append(name)
    freshness = Freshness(view, builds)
    by_name = {names[node.unique_id]: node for node in nodes.values()}
    assets = {}
    for name in TopologicalSorter({name: upstream[name] for name in sorted(upstream)}).static_order():
        node = by_name.get(name)
        if node is None:
            last = freshness.source() if name == SOURCE_OBJECT else freshness.published(name)
        elif node.resource_type == "source":
            last = freshness.loaded(node)
        else:
            last = freshness.built(node, tests.get(node.unique_id, ()))
        assets[name] = Asset(
            name=name,
            kind=_kind(name, node),
            group=_group(name, node),
            description=_text(node.description) if node else _DESCRIPTIONS[name],
            materialized=node.config.materialized if node else None,
            state=last.state,
            last_built_at=last.at,
            last_run=last.run,
            seconds=last.seconds,
            rows=last.rows,
            expected_every_seconds=None if last.expected is None else int(last.expected.total_seconds()),
            upstream=tuple(upstream[name]),
            downstream=tuple(sorted(downstream[name])),
        )
    return _Picture(assets, by_name, tests, builds)


_KINDS: Mapping[str, AssetKind] = {"model": "model", "seed": "seed", "source": "source"}


def _kind(name: str, node: Node | None) -> AssetKind:
    if node is not None:
        return _KINDS[node.resource_type]
    return "source_object" if name == SOURCE_OBJECT else "published"


def _group(name: str, node: Node | None) -> str:
    """The folder, as `marts/pages`."""
    if node is None:
        return "source" if name == SOURCE_OBJECT else "published"
    if node.resource_type == "model":
        return "/".join(node.fqn[1:-1])
    return f"{node.resource_type}s"


def _names(nodes: Iterable[Node]) -> dict[str, str]:
    """By unique id: dbt's own names, or the unique id itself where two would be called the same."""
    every = [node.name for node in nodes]
    taken = Counter([SOURCE_OBJECT, *PUBLISHED_FROM, *every])
    return {node.unique_id: node.name if taken[node.name] == 1 else node.unique_id for node in nodes}


def _upstream(nodes: Mapping[str, Node], names: Mapping[str, str]) -> dict[str, list[str]]:
    """By name, with the source's files before dbt's sources and the published results after the marts."""
    upstream: dict[str, list[str]] = {SOURCE_OBJECT: []}
    for node in nodes.values():
        before = sorted(names[one] for one in node.depends_on.nodes if one in nodes)
        upstream[names[node.unique_id]] = [SOURCE_OBJECT] if node.resource_type == "source" else before
    for name, marts in PUBLISHED_FROM.items():
        upstream[name] = [mart for mart in marts if mart in upstream]
    return upstream


def _tests(manifest: Manifest, nodes: Mapping[str, Node]) -> dict[str, tuple[Node, ...]]:
    tests: dict[str, tuple[Node, ...]] = {}
    for test in sorted(manifest.nodes.values(), key=lambda node: node.name):
        if test.resource_type == "test":
            for tested in [test.attached_node] if test.attached_node else test.depends_on.nodes:
                if tested in nodes:
                    tests[tested] = (*tests.get(tested, ()), test)
    return tests


def _text(description: str) -> str:
    """Without the line breaks of the file that it stands in."""
    return " ".join(description.split())


def _test(test: Node, results: list[NodeResult] | None) -> AssetTest:
    newest = results[0] if results else None
    return AssetTest(
        name=test.name,
        column=test.column_name,
        status=newest and newest.status,
        failures=newest and newest.failures,
        seconds=newest and newest.seconds,
    )
