"""The dashboards are what Grafana's own schema takes, whole, and what the builders write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from tests.tools.write_dashboards import FOLDER, dashboards

FILES = sorted(FOLDER.glob("*.json"))


def test_they_are_as_the_builders_write_them() -> None:
    assert {path.name: path.read_text() for path in FILES} == dashboards()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schema_knows_all_that_stands_in_them(path: Path) -> None:
    register_default_plugins()
    content = json.loads(path.read_text())
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(content)))
    assert read == content


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_panel_says_what_it_is_and_leads_to_the_page(path: Path) -> None:
    content: dict[str, Any] = json.loads(path.read_text())
    assert {variable["name"] for variable in content["templating"]["list"]} == {"datasource", "release", "page"}
    for panel in content["panels"]:
        if panel["type"] == "text":
            continue
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["links"][0]["url"].startswith("${page}/")
