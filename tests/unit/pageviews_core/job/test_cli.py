from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests import samples
from typer.testing import CliRunner

from pageviews_core import keys
from pageviews_core.errors import ConfigurationError, PageviewsError, SourceCorrupt
from pageviews_core.hour import Hour
from pageviews_core.job.cli import build_cli
from pageviews_core.job.program import Check, PlannedHour, tried
from pageviews_core.job.session import Session
from pageviews_core.journal import Journal
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.control import Tick
from pageviews_core.records.run import Job
from pageviews_core.settings import JobSettings


class Toy:
    """Does nothing, and notes what it was asked to do."""

    job: Job = "ingestor"
    module = "toy"
    cron = "* * * * *"
    wakes_on: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.worked_on: list[tuple[list[str], bool]] = []
        self.planned: list[PlannedHour] = []
        self.error: Exception | None = None

    def work(self, session: Session, *, suspended: bool) -> int:
        self._fail()
        return 0

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        self.worked_on.append(([str(hour) for hour in hours], force))
        self._fail()

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        self._fail()
        return self.planned

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        yield tried("store", session.store.url, session.prove_store)
        yield tried("source", "there", self._fail)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Terminal:
    """The toy's command line, in a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.toy = Toy()
        self.store = LocalObjectStore(folder / "objects")
        self._app = build_cli(JobSettings, lambda settings: self.toy, name="toy", about="A toy.")

    def run(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(self._app, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    def tick(self) -> Tick | None:
        found = Journal(self.store).read(keys.tick("ingestor"), Tick)
        return found and found[0]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Terminal(tmp_path)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("arguments", [(), ("run",)])
def test_a_tick_is_the_default(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert terminal.run(*arguments)[0] == 0
    tick = terminal.tick()
    assert tick is not None
    assert tick.outcome == "idle"


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError("wrong"), 78), (SourceCorrupt("cut"), 75), (PageviewsError("odd"), 70), (KeyError("bug"), 70)],
)
@pytest.mark.parametrize("verb", [("run",), ("plan",), ("hour", "2026-11-20T09")])
def test_every_verb_ends_with_the_code_of_its_error(
    terminal: Terminal, error: Exception, code: int, verb: tuple[str, ...]
) -> None:
    terminal.toy.error = error
    assert terminal.run(*verb)[0] == code


def test_chosen_hours_are_worked_on_once_each_in_order(terminal: Terminal) -> None:
    assert terminal.run("hour", "2026-11-20T09", "2026-11-19T23", "2026-11-20T09", "--force")[0] == 0
    assert terminal.toy.worked_on == [(["2026-11-19T23", "2026-11-20T09"], True)]
    assert terminal.tick() is None


def test_a_bad_hour_is_named_and_nothing_is_done(terminal: Terminal) -> None:
    code, said = terminal.run("hour", "2026-11-20T09", "yesterday")
    assert code == 78
    assert "yesterday" in said
    assert "YYYY-MM-DDTHH" in said
    assert terminal.toy.worked_on == []


def test_a_plan_tells_each_hour_and_why(terminal: Terminal) -> None:
    assert "Nothing is owed." in terminal.run("plan")[1]
    terminal.toy.planned = [
        PlannedHour(samples.hour(), True, "not loaded yet"),
        PlannedHour(samples.hour() + -1, False, "failed 1 time"),
    ]
    code, said = terminal.run("plan")
    assert code == 0
    assert "2 hours owed" in said
    assert all(text in said for text in ("2026-11-20T09", "yes", "not loaded yet", "2026-11-20T08", "later"))


def test_a_plan_changes_nothing(terminal: Terminal) -> None:
    terminal.run("plan")
    assert list(terminal.store.list("")) == []


def test_a_check_tries_everything_and_fails_with_any_of_it(terminal: Terminal) -> None:
    code, said = terminal.run("check")
    assert (code, said.count("ok ")) == (0, 2)
    terminal.toy.error = SourceCorrupt("[odd] text")
    code, said = terminal.run("check")
    assert code == 78
    assert "ok store" in said
    assert "FAILED source: [odd] text" in said


def test_a_bad_setting_is_told_in_one_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_RUN_BUDGET", "long")
    code, said = terminal.run("run")
    assert code == 78
    assert "PAGEVIEWS_RUN_BUDGET='long'" in said
    assert "Traceback" not in said


def test_health_is_the_age_of_the_last_tick(terminal: Terminal) -> None:
    assert terminal.run("health") == (75, "never ticked\n")
    terminal.run("run")
    code, said = terminal.run("health")
    assert code == 0
    assert "s ago: idle" in said
    Journal(terminal.store).put(
        keys.tick("ingestor"),
        Tick(
            job="ingestor", at=samples.AT, outcome="worked", owed=1, run_id=None, seconds=1, store_requests=9,
            version="0.1.0",
        ),
    )  # fmt: skip
    assert terminal.run("health", "--within", "30m")[0] == 75
    assert terminal.run("health", "--within", "soon")[0] == 78
