"""The example's routes, inhibitions and templates in Alertmanager itself, and what its receivers get."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.integration.alerts.receivers import Received, receivers
from tests.tools.status_process import free_port
from tests.tools.system_tools import ToolMissing, alertmanager

FOLDER = Path("services/observability").absolute()
RULES = yaml.safe_load(Path("helm/wikipedia-pageviews/files/alerts.yaml").read_text())["groups"][0]["rules"]
EXAMPLE = yaml.safe_load((FOLDER / "alertmanager.example.yml").read_text())
try:
    ALERTMANAGER, AMTOOL = alertmanager(), alertmanager("amtool")
except ToolMissing as exc:
    if os.environ.get("CI"):
        raise  # there it has to be
    pytest.skip(str(exc), allow_module_level=True)
RECEIVERS = {"critical": "pager", "none": "heartbeat"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Received]]:
    """Alertmanager's address, and what its receivers got. Only addresses and waiting times differ from the example."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with receivers() as received:
        content = {**EXAMPLE, "templates": [str(FOLDER / "*.tmpl")]}
        (folder / "slack-url").write_text(f"{received.http}/slack")
        content["global"] = {
            **EXAMPLE["global"],
            "slack_api_url_file": str(folder / "slack-url"),
            "smtp_smarthost": received.smtp,
            "smtp_require_tls": False,
        }
        content["route"] = {**EXAMPLE["route"], "group_wait": "1s", "group_interval": "1s"}
        for receiver in content["receivers"]:
            for webhook in receiver.get("webhook_configs", ()):
                webhook["url"] = f"{received.http}/heartbeat"
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(content))
        url = f"http://127.0.0.1:{free_port()}"
        command = [
            ALERTMANAGER, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=",
        ]  # fmt: skip
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                received.wait_for(lambda: _ready(url))
                yield url, received
            finally:
                process.terminate()


def _ready(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200 or None
    except httpx.TransportError:
        return None


def _alert(name: str, **labels: str) -> dict[str, Any]:
    """As Prometheus sends it; what stands in braces is filled by it."""
    rule = next(rule for rule in RULES if rule["alert"] == name)
    began = datetime.now(UTC) - timedelta(minutes=30)
    return {
        "labels": {"alertname": name, **rule["labels"], **labels},
        "annotations": {key: text.replace("{{ $value }}", "3") for key, text in rule["annotations"].items()},
        "startsAt": began.isoformat(),
    }


def _of(received: Received, path: str, text: str) -> Any:
    return next((body for at, body in received.posts if at == path and text in str(body)), None)


def _mail(received: Received, subject: str) -> EmailMessage | None:
    return next((mail for mail in received.mails if subject in mail["subject"]), None)


def test_the_files_pass_amtool() -> None:
    for name in ("alertmanager.yml", "alertmanager.example.yml"):
        checked = subprocess.run([AMTOOL, "check-config", str(FOLDER / name)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_example_sorts_and_holds_back_as_compose_does() -> None:
    own = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    assert (own["route"], own["inhibit_rules"]) == (EXAMPLE["route"], EXAMPLE["inhibit_rules"])


def test_two_alerts_of_a_kind_are_one_message_and_so_is_their_end(
    running: tuple[str, Received],
) -> None:
    url, received = running
    two = [_alert("PageviewsNoTick", release="live", pipeline=job) for job in ("ingestor", "transformer")]
    for alert in two:
        alert["annotations"]["summary"] = f"The {alert['labels']['pipeline']} has not ticked for 1h 20m <now>"
    httpx.post(f"{url}/api/v2/alerts", json=two).raise_for_status()
    [slack] = received.wait_for(lambda: _of(received, "/slack", "has not ticked"))["attachments"]
    assert slack["title"] == "The ingestor has not ticked for 1h 20m <now> (and 1 more) [live]"
    assert slack["color"] == "danger"
    assert slack["text"].count("What to do: docs/runbook.md#pageviewsnotick") == 2
    mail = received.wait_for(lambda: _mail(received, "has not ticked"))
    html = mail.get_body(("html",))
    assert html is not None
    assert "for 1h 20m &lt;now&gt;<br>" in html.get_content()
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "critical since" in plain.get_content()
    for alert in two:
        alert["endsAt"] = datetime.now(UTC).isoformat()
    httpx.post(f"{url}/api/v2/alerts", json=two).raise_for_status()
    [over] = received.wait_for(lambda: _of(received, "/slack", "Over: "))["attachments"]
    assert over["title"] == "Over: PageviewsNoTick [live]"
    assert over["color"] == "good"
    assert "PageviewsNoTick (transformer)" in over["text"]


def test_a_cause_mutes_what_follows_from_it_and_the_heartbeat_goes_on(running: tuple[str, Received]) -> None:
    url, received = running
    muted = [_alert(name, release="muted") for name in ("PageviewsBehind", "PageviewsHourFailing")]
    other = _alert("PageviewsObjectsUnreadable", release="muted")
    elsewhere = _alert("PageviewsBehind", release="elsewhere")
    cause, watchdog = _alert("PageviewsStoreDown", release="muted"), _alert("PageviewsWatchdog")
    httpx.post(f"{url}/api/v2/alerts", json=[cause]).raise_for_status()
    httpx.post(f"{url}/api/v2/alerts", json=[*muted, other, elsewhere, watchdog]).raise_for_status()
    for text in ("object store cannot be read", "objects cannot be read", "[elsewhere]"):
        received.wait_for(partial(_of, received, "/slack", text))
    received.wait_for(lambda: _of(received, "/heartbeat", "PageviewsWatchdog"))
    told = httpx.get(
        f"{url}/api/v2/alerts", params={"filter": 'release="muted"', "inhibited": "true", "active": "false"}
    )
    assert {alert["labels"]["alertname"] for alert in told.json()} == {"PageviewsBehind", "PageviewsHourFailing"}
    assert _of(received, "/slack", "PageviewsBehind [muted]") is None
    assert not [body for path, body in received.posts if path == "/slack" and "An hour has been failing" in str(body)]


@pytest.mark.parametrize(
    ("name", "receiver"),
    [
        (rule["alert"], {"critical": "pager", "none": "heartbeat"}.get(rule["labels"]["severity"], "team"))
        for rule in RULES
    ],
)
def test_every_alert_goes_where_its_severity_says(name: str, receiver: str) -> None:
    rule = next(rule for rule in RULES if rule["alert"] == name)
    labels = [f"{key}={value}" for key, value in {"alertname": name, **rule["labels"]}.items()]
    command = [AMTOOL, "config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.example.yml'}", *labels]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [receiver]
