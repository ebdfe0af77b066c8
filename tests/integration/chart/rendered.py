"""The chart as helm renders it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.tools.system_tools import ToolMissing, helm

CHART = Path("helm/wikipedia-pageviews")
SHAPES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))


class Refused(Exception):
    """What helm said."""


def need_helm() -> None:
    """Leaves the test out where there is none; where CI is set there has to be one."""
    try:
        helm()
    except ToolMissing as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(exc))


def render(shape: str = "", **values: Any) -> list[dict[str, Any]]:
    """Raises Refused."""
    command = [helm(), "template", "pv", str(CHART), "--namespace", "data", "--values", "-"]
    if shape:
        command += ["--values", str(CHART / "ci" / f"{shape}-values.yaml")]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects: list[dict[str, Any]], kind: str, part: str = "") -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(part)]


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Pod specs by `Kind/name`."""
    found = {}
    for each in objects:
        name, spec = f"{each['kind']}/{each['metadata']['name']}", each.get("spec", {})
        if each["kind"] == "CronJob":
            found[name] = spec["jobTemplate"]["spec"]["template"]["spec"]
        elif each["kind"] in ("Deployment", "Job"):
            found[name] = spec["template"]["spec"]
        elif each["kind"] == "Pod":
            found[name] = spec
    return found


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    """Values by variable; of a Secret its reference."""
    [container, *_] = pod["containers"]
    return {each["name"]: each.get("value") or each.get("valueFrom") for each in container.get("env", [])}
