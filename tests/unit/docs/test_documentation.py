"""What the documentation claims is so: commands exist, tables are models, links lead somewhere, pages are not stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.tools.write_settings import example_file, settings_page

from ingestor.cli import app
from pageviews_core.errors import ExitCode

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("services/**/*.md"),
        *ROOT.glob("tests/**/*.md"),
        *ROOT.glob("helm/**/*.md"),
    ]
    if "target" not in page.parts
)
README = (ROOT / "README.md").read_text()
NO_MODELS = {"raw_wikipedia_pageviews"}


def test_the_settings_pages_are_what_the_settings_classes_say() -> None:
    assert (ROOT / "docs/settings.md").read_text() == settings_page()
    assert (ROOT / ".env.example").read_text() == example_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`|\s)make ([a-z][a-z-]*)\b(?=[`\s]|$)", _commands(page.read_text())))
    assert named <= targets


def test_every_table_of_the_readme_is_a_model() -> None:
    models = {file.stem for file in ROOT.glob("services/transformer/dbt/models/**/*.sql")}
    section = README.split("## The tables")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+)`", section)) - {"wikipedia"}
    assert named - NO_MODELS <= models
    assert len(named) > 10


def test_the_readme_has_every_exit_code() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    assert told == {int(code) for code in ExitCode}


def test_the_readme_has_every_verb() -> None:
    verbs = {command.name or command.callback.__name__ for command in app().registered_commands if command.callback}
    told = set(re.findall(r"^\| `([a-z]+)", README.split("## Use it")[1], flags=re.MULTILINE))
    assert verbs <= told


def _commands(text: str) -> str:
    """Code alone: prose has its own use of the word."""
    return "\n".join([*re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL), *re.findall(r"`(make [^`]+)`", text)])
