"""Every alert says what to do: its runbook has a section for it, and none for an alert that is no more."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "helm/wikipedia-pageviews/files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]


def test_every_alert_has_its_section_in_the_runbook() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == {rule["alert"] for rule in RULES}
    for section in sections.values():
        assert all(part in section for part in ("**Meaning.**", "**Look.**", "**Do.**"))


def test_every_alert_names_its_section_a_severity_and_a_duration() -> None:
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info", "none")
        assert ("for" in rule) == (rule["labels"]["severity"] in ("critical", "warning"))


def test_replicas_do_not_double_a_value() -> None:
    for rule in RULES:
        folded = re.sub(
            r"(max|min) without \(pod, instance\) (\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))"
            r"|absent\(pageviews_|max by \(release\) \(pageviews_",
            "",
            rule["expr"],
        )
        assert "pageviews_" not in folded, rule["alert"]
