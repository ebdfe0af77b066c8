"""The workflows are YAML that calls make targets which exist, with no right that they do not need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def _steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_and_says_what_it_may(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    called = {found for step in _steps(workflow) for found in re.findall(r"make ([a-z0-9-]+)", step.get("run", ""))}
    assert called
    assert called <= targets
    assert workflow["permissions"]
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert all(("uses" in step) != ("run" in step) for step in _steps(workflow))


def test_templates_are_yaml_with_a_name() -> None:
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert {"name", "description", "body"} <= yaml.safe_load(path.read_text()).keys()
