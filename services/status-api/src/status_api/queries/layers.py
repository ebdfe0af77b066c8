"""Places for the nodes of an acyclic graph: layers by the longest path, rows by the mean place of the neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter
from statistics import fmean
from typing import NamedTuple

_SWEEPS = 4


class Place(NamedTuple):
    layer: int
    row: int


def lay_out(upstream: Mapping[str, Collection[str]], last: Collection[str] = ()) -> dict[str, Place]:
    """`upstream` names what each node is made from; the nodes of `last` share the last layer, whatever their paths.

    The same graph has always the same places. Raises graphlib.CycleError.
    """
    layer: dict[str, int] = {}
    for node in TopologicalSorter({node: sorted(upstream[node]) for node in sorted(upstream)}).static_order():
        layer[node] = max((layer[before] + 1 for before in upstream.get(node, ())), default=0)
    end = max(layer.values(), default=0)
    layer |= dict.fromkeys(last, max([end, *(layer[node] + 1 for node in layer if node not in last)], default=0))
    layers = [
        sorted(node for node in layer if layer[node] == number) for number in range(max(layer.values(), default=-1) + 1)
    ]
    downstream: dict[str, list[str]] = {node: [] for node in layer}
    for node, befores in upstream.items():
        for before in befores:
            downstream[before].append(node)
    for _ in range(_SWEEPS):
        _order(layers, upstream)
        _order(layers[::-1], downstream)
    return {node: Place(number, row) for number, nodes in enumerate(layers) for row, node in enumerate(nodes)}


def _order(layers: Sequence[list[str]], neighbours: Mapping[str, Collection[str]]) -> None:
    """Sorts each layer in place by the mean place of what it is joined to; a node without keeps its own."""
    place = {node: row / len(nodes) for nodes in layers for row, node in enumerate(nodes)}
    for nodes in layers:
        means = {node: fmean(place[other] for other in neighbours.get(node) or (node,)) for node in nodes}
        nodes.sort(key=lambda node: (means[node], node))
        place.update((node, row / len(nodes)) for row, node in enumerate(nodes))
