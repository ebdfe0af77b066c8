"""`make e2e`: the chart on a real cluster, in two shapes, through faults; in namespaces of its own, which it removes.

KUBECONFIG says which cluster. Its images must be there: `--load` is a command that brings images of the local engine
in, such as `kind load docker-image`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pageviews_core.hour import Hour
from tests.e2e import embedded, outgrown
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
    report = Report()
    try:
        version = run(["kubectl", "version", "--output", "json"])
    except (CommandFailed, FileNotFoundError) as exc:
        print(f"No cluster answers: set KUBECONFIG to one (kind, k3d, a cloud's). {exc}", file=sys.stderr)
        return 2
    print(f"Kubernetes {version.split('gitVersion')[-1][4:12]}", flush=True)
    if arguments.load:
        report.step("images built and brought in", lambda: _bring_in(shlex.split(arguments.load)))
    report.step("every shape of the chart is taken by the API server", _dry_runs)
    newest = Hour.newest_ended(datetime.now(UTC)) + -1
    for shape in arguments.shapes.split(","):
        report.title(shape)
        namespace = Namespace(f"pageviews-e2e-{shape}-{os.getpid()}")
        try:
            namespace.create()
            _SHAPES[shape](namespace, report, newest)
        except Exception as exc:
            report.failed.append(shape)
            print(f"FAILED {shape}: {type(exc).__name__}: {exc}", flush=True)
            print(run(["kubectl", "--namespace", namespace.name, "get", "all,events"])[-6000:], flush=True)
        finally:
            if not arguments.keep:
                namespace.delete()
    return report.end()


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
    namespace = Namespace(f"pageviews-e2e-dry-{os.getpid()}")
    namespace.create()
    try:
        shapes = sorted(Path(CHART, "ci").glob("*-values.yaml"))
        for shape in shapes:
            command = [helm(), "template", "dry", CHART, "--namespace", namespace.name, "--values", str(shape)]
            for part in ("serviceMonitor", "prometheusRule", "httpRoute"):
                command += ["--set", f"{part}.enabled=false"]
            namespace.kubectl("apply", "--dry-run=server", "--filename", "-", given=run(command))
    finally:
        namespace.delete()
    return ", ".join(shape.name.removesuffix("-values.yaml") for shape in shapes)


if __name__ == "__main__":
    sys.exit(main())
