"""docs/extending.md, followed to the letter: its blocks go into a copy of the project, and hours are built with it."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.integration.chart.rendered import of_kind, render
from tests.integration.dbt.warehouse import PROJECT, Warehouse

PAGE = (Path(__file__).parents[3] / "docs/extending.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
FIRST, SECOND = "2026-11-20T09", "2026-11-20T10"
LINES = [("en", "Earth", 40), ("en.m", "Earth", 60), ("de", "Erde", 7)]


def follow(section: str, project: Path) -> list[str]:
    """Writes the section's files, and names them."""
    files = re.findall(r"^`([^`\n]+)`\n\n```\w+\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    assert files
    for name, text in files:
        (project / name).write_text(text)
    return [name for name, _ in files]


@pytest.fixture
def copied(tmp_path: Path) -> Warehouse:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    warehouse = Warehouse(tmp_path, tmp_path / "no-manifest", project=project)
    warehouse.create()
    for hour in (FIRST, SECOND):
        warehouse.load(hour, LINES)
    return warehouse


def build(warehouse: Warehouse, hour: str) -> None:
    result = warehouse.build(hour)
    assert result.success, result.messages()


def test_a_model_a_column_and_a_source_as_the_page_says(copied: Warehouse) -> None:
    shares = (
        "select project, mobile_view_count, view_count{} from mobile_share_hourly "
        "where hour_started_at = '{}' order by project"
    )
    follow("A model", copied.project)
    build(copied, FIRST)
    assert copied.rows(shares.format("", "2026-11-20 09:00")) == [("de.wikipedia", 0, 7), ("en.wikipedia", 60, 100)]

    follow("A column", copied.project)
    with copied.connection() as connection:
        connection.execute("create schema own")
        connection.execute("create table own.project_owners as select 'en.wikipedia' as project, 'Ada' as owner")
    follow("A source", copied.project)
    build(copied, SECOND)
    before, after = "2026-11-20 09:00", "2026-11-20 10:00"
    assert copied.rows(shares.format(", desktop_view_count", after))[1] == ("en.wikipedia", 60, 100, 40)
    assert copied.rows(shares.format(", desktop_view_count", before))[1] == ("en.wikipedia", 60, 100, None)
    assert copied.rows("select owner, view_count from owner_traffic_hourly") == [("Ada", 100)]

    build(copied, FIRST)  # built again, it has the column too
    assert copied.rows(shares.format(", desktop_view_count", before))[1] == ("en.wikipedia", 60, 100, 40)


def test_a_schedule_as_the_page_says() -> None:
    [command] = re.findall(r"```bash\n(.*?)```", SECTIONS["A schedule"], re.DOTALL)
    words = shlex.split(command)
    values: dict[str, Any] = {}
    for name, value in (word.split("=", 1) for word in words if "=" in word):
        job, key = name.split(".")
        values.setdefault(job, {})[key] = value if "*" in value else int(value)
    jobs = {job["metadata"]["name"].split("-")[-1]: job["spec"] for job in of_kind(render(**values), "CronJob")}
    assert jobs["ingestor"]["schedule"] == "5 * * * *"
    assert jobs["ingestor"]["startingDeadlineSeconds"] == 3000
