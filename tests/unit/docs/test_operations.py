"""What operations.md and comparison.md name exists: settings, verbs, errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pageviews_core import errors

ROOT = Path(__file__).parents[3]
SETTINGS = set(re.findall(r"^\| `([A-Z_0-9]+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
COMPOSE = set(re.findall(r"\$\{([A-Z_0-9]+)", (ROOT / "docker-compose.yml").read_text()))
PAGES = ("operations", "alerts", "runbook", "comparison", "kubernetes")


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_that_are_named_exist(page: str) -> None:
    named = set(re.findall(r"\b(PAGEVIEWS_[A-Z_0-9]+)\b", (ROOT / f"docs/{page}.md").read_text()))
    assert named <= SETTINGS | COMPOSE


def test_the_errors_of_the_troubleshooting_table_exist() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    for name in re.findall(r"an hour fails with (\w+)", text):
        assert hasattr(errors, name)
    said = (ROOT / "services/core/src/pageviews_core/warehouse/duckdb_file.py").read_text()
    assert "is held by another process, still after" in said
    assert "is held by another process, still after" in text


def test_the_rows_of_the_alerts_page_are_the_severities() -> None:
    rules = (ROOT / "helm/wikipedia-pageviews/files/alerts.yaml").read_text()
    told = set(
        re.findall(r"^\| (\w+) \|", (ROOT / "docs/alerts.md").read_text().split("| severity |")[1], re.MULTILINE)
    )
    assert told == set(re.findall(r"severity: (\w+)", rules))


def test_the_cure_of_a_volume_that_is_roots_takes_back_what_compose_drops() -> None:
    """With every capability dropped even root may not change an owner."""
    assert "cap_drop: [ALL]" in (ROOT / "docker-compose.yml").read_text()
    [cure] = re.findall(r"`(docker compose run [^`]+ chown [^`]+)`", (ROOT / "docs/operations.md").read_text())
    assert {"CHOWN", "DAC_OVERRIDE"} <= set(re.findall(r"--cap-add (\w+)", cure))
    said = (ROOT / "services/core/src/pageviews_core/object_store/local.py").read_text()
    assert "the right to read and write" in said
