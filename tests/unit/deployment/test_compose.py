"""What docker-compose.yml promises; `docker compose` itself reads it in the proof of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWNER = "s3-owner"
"""Runs once, as root, to hand a fresh volume over."""


def test_without_a_profile_there_are_the_two_jobs_and_the_page() -> None:
    assert {name for name, each in SERVICES.items() if "profiles" not in each} == {
        "ingestor", "transformer", "status-api",
    }  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_its_image_pinned(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert re.search(r":v?\d|:\$\{PAGEVIEWS_VERSION:-\d", service["image"])
    if name != OWNER:
        assert service["read_only"]
        assert service["user"].split(":")[0].isdecimal()
        assert service["user"].split(":")[0] != "0"
        assert service["mem_limit"]
        assert service["restart"] == "on-failure:5"


@pytest.mark.parametrize("name", [name for name in SERVICES if "ports" in SERVICES[name]])
def test_ports_are_open_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", ["ingestor", "transformer", "status-api", "dumps", "s3", "prometheus"])
def test_what_others_wait_for_says_whether_it_is_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_alerts_and_dashboards_are_the_charts_own_files() -> None:
    mounted = [each.split(":")[0] for name in ("prometheus", "grafana") for each in SERVICES[name]["volumes"]]
    assert {"./helm/wikipedia-pageviews/files/alerts.yaml", "./helm/wikipedia-pageviews/dashboards"} <= set(mounted)
    assert all((ROOT / each).exists() for each in mounted if each.startswith("./"))


def test_the_versions_are_the_packages_own() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "services/core/pyproject.toml").read_text(), re.MULTILINE)
    assert version
    chart = yaml.safe_load((ROOT / "helm/wikipedia-pageviews/Chart.yaml").read_text())
    assert chart["appVersion"] == version[1]
    defaults = set(re.findall(r"PAGEVIEWS_VERSION:-([^}]+)", (ROOT / "docker-compose.yml").read_text()))
    assert defaults == {version[1]}


@pytest.mark.parametrize("name", ["compose.demo.env", "compose.s3.env"])
def test_the_env_files_name_profiles_and_variables_that_exist(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    profiles = {profile for each in SERVICES.values() for profile in each.get("profiles", [])}
    assert set(given.pop("COMPOSE_PROFILES").split(",")) <= profiles
    read = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert given.keys() <= read


def test_grafana_waits_for_prometheus_and_that_for_the_page() -> None:
    waits = {name: SERVICES[name].get("depends_on", {}) for name in ("grafana", "prometheus")}
    assert waits["grafana"]["prometheus"] == {"condition": "service_healthy"}
    assert waits["prometheus"]["status-api"] == {"condition": "service_healthy"}
