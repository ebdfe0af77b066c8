"""Every query of dashboards and alerts, answered by a real Prometheus that scraped two replicas of the real service."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.integration.status_api.site import Site
from tests.tools.status_process import StatusProcess, free_port
from tests.tools.system_tools import prometheus
from ulid import ULID

from pageviews_core import keys
from pageviews_core.journal import Journal
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.request import Request

CHART = Path("helm/wikipedia-pageviews").absolute()
RULES = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"][0]["rules"]
QUERIES = [
    pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['refId']}")
    for path in sorted((CHART / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel.get("targets", ())
]
ON_SNOWFLAKE_ALONE = {f"pageviews_newest_complete_hour_{job}_credits" for job in ("ingest", "transform")}
_WITHIN_SECONDS = 30


@pytest.fixture(scope="module")
def answers(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus' address."""
    now = datetime.now(UTC)
    request = Request(
        id=str(ULID()), kind="backfill", hours=(site.complete,), who="tests", why="to be open",
        created_at=now - timedelta(hours=7),
    )  # fmt: skip
    Journal(LocalObjectStore(site.folder / "objects")).create(keys.open_request(request.id), request)
    folder, address = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_port()}"
    second = folder / "second"
    second.mkdir()
    settings = {"PAGEVIEWS_STORE_URL": (site.folder / "objects").as_uri()}
    with StatusProcess(second, settings) as replica:
        replica.wait_until_ready()
        targets = [
            {"targets": [service.url.removeprefix("http://")], "labels": {"release": "live", "pod": name}}
            for name, service in (("one", site.service), ("two", replica))
        ]
        content = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(CHART / "files/alerts.yaml")],
            "scrape_configs": [{"job_name": "pageviews", "static_configs": targets}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(content))
        command = [
            prometheus(), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ]  # fmt: skip
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait_until(lambda: httpx.get(f"http://{address}/-/ready").is_success)
                _wait_until(lambda: _seen_by_both(f"http://{address}", site))
                yield f"http://{address}"
            finally:
                process.terminate()


def _seen_by_both(url: str, site: Site) -> bool:
    httpx.get(f"{site.service.url}/api/v1/status").raise_for_status()  # who is looked at, looks sooner
    return len(_ask(url, "pageviews_open_requests == 1")) == 2


def _wait_until(held: Any) -> None:
    until = time.monotonic() + _WITHIN_SECONDS
    while time.monotonic() < until:
        try:
            if held():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"not within {_WITHIN_SECONDS} s")


def _ask(url: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    return list(answer["data"]["result"])


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_a_dashboard_has_an_answer(answers: str, query: str) -> None:
    metrics = set(re.findall(r"pageviews_\w+", query))
    assert 'release=~"$release"' in query
    found = _ask(answers, query.replace("$release", "live"))
    if metrics <= ON_SNOWFLAKE_ALONE:
        assert found == []
        return
    assert found
    assert not any({"pod", "instance"} & each["metric"].keys() for each in found)
    assert found == _same_labels(found, _ask(answers, query.replace("$release", ".*"))), "one that names no release"
    assert _ask(answers, query.replace("$release", "another")) == []


def _same_labels(found: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first list where both are of the same series; times go on between two questions."""
    same = [each["metric"] for each in found] == [each["metric"] for each in others]
    return found if same else others


def test_two_replicas_do_not_double_a_sum(answers: str, site: Site) -> None:
    runs = httpx.get(f"{site.service.url}/api/v1/runs", params={"limit": 100}).json()["items"]
    [total] = _ask(answers, 'sum(max without (pod, instance) (pageviews_runs{release="live"}))')
    assert float(total["value"][1]) == len(runs)
    pulse = httpx.get(f"{site.service.url}/api/v1/insights/pulse").json()
    [views] = _ask(answers, "sum(max without (pod, instance) (pageviews_newest_published_hour_views))")
    assert float(views["value"][1]) == pulse["views"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rules_metrics_are_there_and_its_expression_holds_together(answers: str, rule: dict[str, Any]) -> None:
    for metric in re.findall(r"pageviews_\w+", rule["expr"]):
        assert _ask(answers, f"count({metric})"), metric
    _ask(answers, rule["expr"])


def test_prometheus_evaluates_all_rules_and_sees_what_is_wrong_here(answers: str) -> None:
    def evaluated() -> dict[str, dict[str, Any]]:
        groups = httpx.get(f"{answers}/api/v1/rules").json()["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    _wait_until(lambda: all(rule["health"] == "ok" for rule in evaluated().values()))
    rules = evaluated()
    assert rules.keys() == {rule["alert"] for rule in RULES}
    assert rules["PageviewsWatchdog"]["state"] == "firing"
    assert rules["PageviewsRequestStuck"]["state"] == "pending"  # for 15 minutes first
    assert rules["PageviewsStoreDown"]["state"] == rules["PageviewsDiskFilling"]["state"] == "inactive"
