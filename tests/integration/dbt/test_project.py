"""What holds for the project as a whole."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.integration.dbt.warehouse import PROJECT, Warehouse

SEED_KEYS = {
    "wikimedia_ambiguous_languages": ["language"],
    "wikimedia_main_pages": ["project", "page_title"],
    "wikimedia_namespaces": ["language", "prefix"],
    "wikimedia_project_suffixes": ["suffix"],
    "wikimedia_wikis": ["subdomain"],
}


@pytest.fixture
def described(manifest: Path) -> dict[str, Any]:
    """The manifest's nodes as dbt writes them for its readers."""
    nodes: dict[str, Any] = json.loads(manifest.with_name("manifest.json").read_text(encoding="utf-8"))["nodes"]
    return nodes


def test_every_model_and_column_is_described_typed_and_owned(described: dict[str, Any]) -> None:
    models = [node for node in described.values() if node["resource_type"] == "model"]
    assert len(models) == 20
    for model in models:
        name = model["name"]
        assert model["description"], name
        assert model["config"]["contract"]["enforced"], name
        assert model["config"]["group"], name
        for column in model["columns"].values():
            assert column["description"], f"{name}.{column['name']}"
            assert column["data_type"], f"{name}.{column['name']}"


def test_only_staging_reads_sources(described: dict[str, Any]) -> None:
    readers = {
        node["name"]
        for node in described.values()
        if node["resource_type"] == "model"
        and "source.pageviews.wikimedia.raw_pageviews" in node["depends_on"]["nodes"]
    }
    assert readers == {"stg_wikipedia_domains", "stg_wikipedia_pageviews"}


def test_the_unit_tests_pass(warehouse: Warehouse) -> None:
    assert warehouse.dbt("build", "--exclude-resource-type", "unit_test").success
    result = warehouse.dbt("test", "--select", "test_type:unit")
    assert result.success, result.messages()
    assert Counter(node["status"] for node in result.nodes.values())["pass"] >= 9


def test_freshness_is_told_by_the_ledger(warehouse: Warehouse) -> None:
    warehouse.load("2026-11-20T09", [("en", "Page", 1)])
    result = warehouse.dbt("source", "freshness")
    assert result.success, result.messages()
    assert result.nodes["pageviews_ledger"]["status"] == "pass"


@pytest.mark.parametrize("seed", SEED_KEYS)
def test_seeds_have_no_key_twice(seed: str) -> None:
    with (PROJECT / "seeds" / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        keys = Counter(tuple(row[column] for column in SEED_KEYS[seed]) for row in csv.DictReader(file))
    assert [key for key, count in keys.items() if count > 1] == []
