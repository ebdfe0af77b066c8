"""Every line of every command block in the documentation, and every command within a sentence, is one that its program
takes.

`make` targets and variables, verbs and options of our own programs as their own parsers read them, `helm upgrade` as
helm itself renders it, compose files and profiles, objects that kubectl is given. A program not known here fails. What
the commands then do is for the tests of the parts they start.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml
from tests.integration.chart.rendered import need_helm, of_kind
from tests.tools.system_tools import helm

import ingestor.cli
import status_api.cli
import transformer.cli

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in ("build", "target") for part in page.relative_to(ROOT).parts)
)
PROGRAMS: dict[str, Callable[[], typer.Typer]] = {
    "pageviews-ingestor": ingestor.cli.app,
    "pageviews-transformer": transformer.cli.app,
    "pageviews-status-api": status_api.cli.build_cli,
}
MAKEFILE = (ROOT / "Makefile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SETTINGS = set(re.findall(r"^\| `([A-Z_0-9]+)` ", (ROOT / "docs/settings.md").read_text(), flags=re.MULTILINE))
CHART = "helm/wikipedia-pageviews"


class Command(NamedTuple):
    page: str
    line: str
    variables: dict[str, str]
    words: list[str]


def commands() -> Iterator[Command]:
    for page in PAGES:
        for block in re.findall(
            r"^```(?:bash|sh|shell|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            for line in block.replace("\\\n", " ").splitlines():
                command = _split(page, line)
                if command.words:
                    yield command


def mentioned() -> Iterator[Command]:
    """Commands within sentences and tables, which may be named without their arguments."""
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`([^`\n]+)`", prose):
            if re.match(rf"(?:[A-Z_0-9]+=\S+ )*(?:make|docker compose|{'|'.join(PROGRAMS)}) ", span):
                yield _split(page, span)


def _split(page: Path, line: str) -> Command:
    words = shlex.split(line, comments=True)
    variables = {}
    while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return Command(str(page.relative_to(ROOT)), line, variables, words)


COMMANDS = list(commands())
MENTIONED = list(mentioned())


@pytest.mark.parametrize("command", COMMANDS, ids=[f"{each.page}: {each.line}" for each in COMMANDS])
def test_a_command_of_the_documentation_is_one(command: Command) -> None:
    program = Path(command.words[0]).name
    for name, value in command.variables.items():
        assert_variable(name, value)
    if program == "make":
        assert_made(command.words[1:])
    elif program in PROGRAMS:
        assert_parsed(program, command.words[1:])
    elif program == "docker":
        assert_composed(command.words[1:])
    elif program == "helm":
        assert_rendered(command.words[1:])
    elif program == "kubectl":
        assert_known_to_kubernetes(command.words[1:])
    else:
        pytest.fail(f"{program} is a program that this test knows nothing of")


@pytest.mark.parametrize("command", MENTIONED, ids=[f"{each.page}: {each.line}" for each in MENTIONED])
def test_a_command_that_a_sentence_names_is_one(command: Command) -> None:
    program, words = command.words[0], command.words[1:]
    for name, value in command.variables.items():
        assert_variable(name, value)
    if program == "make":
        assert_made(words)
    elif program == "docker":
        assert_of_compose(words[1:])
    else:
        assert_parsed(program, words, whole=len(words) > 1)


def assert_of_compose(words: list[str]) -> None:
    file = yaml.safe_load(COMPOSE)
    if words[0] == "--profile":
        assert any(words[1] in service.get("profiles", []) for service in file["services"].values())
        words = words[2:]
    verb, rest = words[0], words[1:]
    assert verb in ("up", "down", "stop", "run", "ps", "version")
    services = {word for word in rest if word in file["services"]}
    if verb == "run":
        assert len(services) == 1
    else:
        assert services == {word for word in rest if not word.startswith("-")}


def assert_variable(name: str, value: str) -> None:
    assert (
        name in SETTINGS
        or f"$({name})" in MAKEFILE
        or f"${{{name}" in COMPOSE
        or name in ("COMPOSE_PROFILES", "FULL_HOUR")
    )
    if name == "COMPOSE_PROFILES":
        profiles = {
            each for service in yaml.safe_load(COMPOSE)["services"].values() for each in service.get("profiles", [])
        }
        assert set(value.split(",")) <= profiles
    if name == "ALERTMANAGER_CONFIG":
        assert (ROOT / "services/observability" / value).exists()


def assert_made(words: list[str]) -> None:
    for word in words:
        name, given, _ = word.partition("=")
        if given:
            assert f"$({name})" in MAKEFILE
        else:
            assert re.search(rf"^{re.escape(word)}:", MAKEFILE, flags=re.MULTILINE)


def assert_parsed(program: str, words: list[str], *, whole: bool = True) -> None:
    """Raises click's UsageError. Not `whole`: a verb without its arguments."""
    group = typer.main.get_command(PROGRAMS[program]())
    context = group.make_context(program, list(words))
    if words:
        name, verb, rest = group.resolve_command(context, list(words))  # type: ignore[attr-defined]
        if whole:
            verb.make_context(name, rest, parent=context)


def assert_composed(words: list[str]) -> None:
    assert words[0] == "compose"
    if "--env-file" in words:
        assert (ROOT / words[words.index("--env-file") + 1]).exists()
    assert {"up", "down"} & set(words)


def assert_rendered(words: list[str]) -> None:
    verb, rest = words[0], words[1:]
    if verb == "test":
        assert list((ROOT / CHART / "templates").rglob("*test*"))
        return
    assert verb == "upgrade"
    need_helm()
    ours = [word for word in rest if word not in ("--install", "--create-namespace", "--reuse-values")]
    assert CHART in ours
    if "--reuse-values" in rest:
        ours += ["--set", "contact=you@example.org"]
    subprocess.run([helm(), "template", *ours], cwd=ROOT, capture_output=True, text=True, check=True)


def assert_known_to_kubernetes(words: list[str]) -> None:
    assert words[:2] == ["--namespace", "pageviews"]
    verb, rest = words[2], words[3:]
    need_helm()
    text = subprocess.run(
        [helm(), "template", "pageviews", CHART, "--set", "contact=you@example.org"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    objects: list[dict[str, Any]] = [each for each in yaml.safe_load_all(text) if each]
    keeper = yaml.safe_load((ROOT / "docs/kubernetes/keeper.yaml").read_text())["metadata"]["name"]
    if verb == "patch":
        kind, name, _, patch = rest
        assert kind == "cronjob"
        [job] = of_kind(objects, "CronJob", name)
        assert set(json.loads(patch)["spec"]) <= {"suspend", *job["spec"]}
    elif verb == "apply":
        assert (ROOT / rest[rest.index("--filename") + 1]).exists()
    elif verb == "wait" and "--selector" in rest:
        [parts] = re.findall(r"app.kubernetes.io/component in \(([^)]+)\)", rest[rest.index("--selector") + 1])
        labels = {each["metadata"]["labels"].get("app.kubernetes.io/component") for each in of_kind(objects, "CronJob")}
        assert set(parts.split(",")) == labels
    elif verb in ("wait", "exec", "delete"):
        assert keeper in {word.removeprefix("pod/") for word in rest}
    else:
        assert (verb, rest[:2]) == ("create", ["secret", "generic"])


def test_there_are_commands_of_every_program() -> None:
    assert {each.words[0] for each in MENTIONED} == {"make", "docker", *PROGRAMS}
    assert {Path(each.words[0]).name for each in COMMANDS} == {"make", "docker", "helm", "kubectl", *PROGRAMS}


@pytest.mark.parametrize(
    "words",
    [["plan", "--all"], ["hours"], ["hour"], ["query"]],
    ids=["an option", "a verb", "an argument", "another's"],
)
def test_a_command_that_is_none_is_found(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such|Missing"):
        assert_parsed("pageviews-ingestor", words)
