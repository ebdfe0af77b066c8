"""`make e2e`: the chart on a real cluster, in two shapes, through faults; in namespaces of its own, which it removes.

KUBECONFIG says which cluster. Its images must be there: `--load` is a command that brings images of the local engine
in, such as `kind load docker-image`. FULL_HOUR names a real hour's file, for the limits of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pageviews_core.hour import Hour
from tests.e2e import embedded, full_hour, outgrown
from tests.e2e.cluster import CHART, CommandFailed, Namespace, run
from tests.e2e.report import Report
from tests.e2e.stand_ins import IMAGE, S3_IMAGE
from tests.tools.system_tools import helm

_SHAPES = {"embedded": embedded.prove, "outgrown": outgrown.prove}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make e2e", description=__doc__)
    parser.add_argument("--shapes", default=",".join(_SHAPES), help="which, with commas")
    parser.add_argument("--load", default=os.environ.get("E2E_LOAD", ""), help="command that brings images in")
    parser.add_argument("--keep", action="store_true", help="leave the namespaces there")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        version = json.loads(run(["kubectl", "version", "--output", "json"]))["serverVersion"]["gitVersion"]
    except (CommandFailed, FileNotFoundError) as exc:
        print(f"No cluster answers: set KUBECONFIG to one (kind, k3d, a cloud's). {exc}", file=sys.stderr)
        return 2
    chart = Report("chart")
    chart.step("the cluster", lambda: f"Kubernetes {version}")
    if arguments.load:
        chart.step("images built and brought in", lambda: _bring_in(shlex.split(arguments.load)))
    chart.step("every shape is taken by the API server", _dry_runs)
    chart.step("one hour, against plain processes", lambda: _measure(arguments.keep))
    newest = Hour.newest_ended(datetime.now(UTC)) + -1
    reports = [chart, *(Report(shape) for shape in arguments.shapes.split(","))]
    with ThreadPoolExecutor() as side_by_side:
        for report in reports[1:]:
            side_by_side.submit(_prove, report, newest, arguments.keep)
    if file := os.environ.get("FULL_HOUR"):
        reports.append(Report("full"))
        with _namespace("full", arguments.keep) as namespace:
            full_hour.prove(namespace, reports[-1], Path(file))
    failed = [name for report in reports for name in report.failed]
    passed = sum(report.passed for report in reports)
    print(f"\n{passed} passed, {len(failed)} failed in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


def _prove(report: Report, newest: Hour, keep: bool) -> None:
    with _namespace(report.name, keep) as namespace:
        try:
            _SHAPES[report.name](namespace, report, newest)
        except Exception as exc:
            report.fail("the rest", exc)
            print(namespace.kubectl("get", "all,events")[-6000:], flush=True)


def _measure(keep: bool) -> str:
    """Alone, since the other shapes would take the processors."""
    with _namespace("measure", keep) as namespace:
        return embedded.measure(namespace, Hour.newest_ended(datetime.now(UTC)) + -1)


@contextmanager
def _namespace(shape: str, keep: bool) -> Iterator[Namespace]:
    namespace = Namespace(f"pageviews-e2e-{shape}-{os.getpid()}")
    namespace.create()
    try:
        yield namespace
    finally:
        if not keep:
            namespace.delete()


def _bring_in(load: list[str]) -> str:
    subprocess.run(["make", "--silent", "images"], check=True, stdout=subprocess.DEVNULL)
    build = ["docker", "buildx", "build", "--quiet", "--load", "--file", "tests/e2e/Dockerfile", "--tag", IMAGE, "."]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    tag = next(line.split()[-1] for line in Path(CHART, "Chart.yaml").read_text().splitlines() if "appVersion" in line)
    images = [f"pageviews-{name}:{tag}" for name in ("ingestor", "transformer", "status-api")]
    run([*load, *images, IMAGE, S3_IMAGE])
    sizes = run(["docker", "images", "--format", "{{.Repository}} {{.Size}}", "--filter", "reference=pageviews-*"])
    return ", ".join(sizes.split("\n")).strip(", ")


def _dry_runs() -> str:
    """Without what belongs to operators that the cluster does not have."""
    shapes = sorted(Path(CHART, "ci").glob("*-values.yaml"))
    with _namespace("dry", keep=False) as namespace:
        for shape in shapes:
            command = [helm(), "template", "dry", CHART, "--namespace", namespace.name, "--values", str(shape)]
            for part in ("serviceMonitor", "prometheusRule", "httpRoute"):
                command += ["--set", f"{part}.enabled=false"]
            namespace.kubectl("apply", "--dry-run=server", "--filename", "-", given=run(command))
    return ", ".join(shape.name.removesuffix("-values.yaml") for shape in shapes)


if __name__ == "__main__":
    sys.exit(main())
