"""An hour through the engine floor, the product and its peers, in turns, so that a busy moment meets all of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from ingestor.program import _PROCESS_MEMORY as INGEST_WITHOUT_ENGINE
from pageviews_core.job.memory import engine_memory
from pageviews_core.markers import read_transformed
from tests.bench.bench import Bench
from tests.bench.dumps import serving
from tests.bench.installation import MEMORY_LIMIT, THREADS, HourCost, Installation, events
from tests.bench.peers import Peers, PeerUnavailable
from tests.bench.process import Measured, run_measured
from tests.bench.report import Figure, figure, show, show_parts
from transformer.batch import _PROCESS_MEMORY as TRANSFORM_WITHOUT_ENGINE

_INGEST_PARTS = ("gunzip", "parquet", "raw")
_NODES_TOLD = 8


@dataclass
class _Results:
    floor: list[Measured] = field(default_factory=list)
    product: list[HourCost] = field(default_factory=list)
    load: list[Measured] = field(default_factory=list)
    build: list[Measured] = field(default_factory=list)


def measure_hour(bench: Bench, contestants: Collection[str]) -> None:
    """`contestants`: of floor, product, peers."""
    results, peers, last = _Results(), None, ""
    if "peers" in contestants:
        try:
            peers = Peers.installed()
        except PeerUnavailable as exc:
            bench.say(f"dlt + dbt cannot be compared with: {exc}")
    for number in range(1, bench.runs + 1):
        with bench.scratch("hour") as folder:
            if "floor" in contestants:
                results.floor.append(measure_floor(bench, folder))
            if "product" in contestants:
                cost, last = measure_product(bench, folder)
                results.product.append(cost)
            if peers:
                load, build = peers.take_in(bench.measured, folder / "peers")
                results.load.append(load)
                results.build.append(build)
        bench.say(f"  round {number} of {bench.runs} done, load {os.getloadavg()[0]:.1f}")
    _show(bench, results)
    if last:
        bench.say(last)


def measure_floor(bench: Bench, folder: Path) -> Measured:
    return run_measured(
        [
            sys.executable, str(Path(__file__).with_name("floor.py")), str(bench.measured.pageviews), str(folder),
            "--threads", str(THREADS),
            "--ingest-memory", str(engine_memory(MEMORY_LIMIT, taken=INGEST_WITHOUT_ENGINE)),
            "--transform-memory", str(engine_memory(MEMORY_LIMIT, taken=TRANSFORM_WITHOUT_ENGINE)),
        ],
        folder / "floor.log",
    )  # fmt: skip


def measure_product(bench: Bench, folder: Path) -> tuple[HourCost, str]:
    """The hour into an empty warehouse, and where its time went."""
    with serving(bench.measured) as url:
        hour = bench.measured.hour
        product = Installation(folder / "product", url, bench.manifest, start=hour, end=hour)
        product.keep_house()
        cost = product.take_in(hour)
    return cost, "\n".join(_profile(product, cost))


def _profile(product: Installation, cost: HourCost) -> Iterable[str]:
    steps = [f"{step.name} {step.seconds:.2f}" for step in product.run_of(cost.ingest).steps if step.seconds >= 0.01]
    run = product.run_of(cost.transform)
    marker = read_transformed(product.journal, run.hours[0].hour, run.hours[0].generation or 1)
    assert marker
    nodes = sorted(marker.nodes, key=lambda node: -node.seconds)
    told = [f"{node.name} {node.seconds:.2f}" for node in nodes[:_NODES_TOLD]]
    published = [
        str(event["seconds"]) for event in events(cost.transform.measured) if event["event"] == "results_published"
    ]
    in_nodes, whole = sum(node.seconds for node in nodes), cost.transform.measured.seconds
    yield f"  last round, ingest: {', '.join(steps)}; process {cost.ingest.measured.seconds:.2f}"
    yield f"  last round, transform: {', '.join(told)}; all {len(nodes)} nodes {in_nodes:.2f}"
    yield f"  last round, transform besides: published {', '.join(published)}; process {whole:.2f}"


def _show(bench: Bench, results: _Results) -> None:
    figures: list[Figure] = []
    floor = ingest_share = None
    if results.floor:
        parts = [json.loads(run.output)["parts"] for run in results.floor]
        floor = median(run.seconds for run in results.floor)
        ingest_share = median(sum(part[name] for name in _INGEST_PARTS) for part in parts)
        figures.append(figure("engine floor", results.floor, floor))
        figures.append(Figure("  its ingest share", ingest_share))
    if results.product:
        ingest = [cost.ingest.measured for cost in results.product]
        transform = [cost.transform.measured for cost in results.product]
        figures.append(figure("product, ingest", ingest, ingest_share, "<= 1.6 of the share; <= 1024 MiB"))
        figures.append(figure("product, transform", transform, None, "<= 1024 MiB"))
        figures.append(figure("product, both", [cost.both for cost in results.product], floor, "<= 2.0"))
    if results.load:
        figures.append(figure("dlt, load", results.load, ingest_share))
        figures.append(figure("dbt, build", results.build))
        figures.append(
            figure(
                "dlt + dbt, both",
                [load.then(build) for load, build in zip(results.load, results.build, strict=True)],
                floor,
            )
        )
    show(bench.console, f"One hour, cold processes, median of {bench.runs}", figures, ratio_to="floor")
    if results.floor:
        show_parts(bench.console, "the floor's parts", [(name, median(p[name] for p in parts)) for name in parts[0]])
