from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core import keys
from pageviews_core.errors import ConfigurationError, ExitCode, StoreUnavailable
from pageviews_core.hour import Hour
from pageviews_core.job.program import Check, PlannedHour
from pageviews_core.job.session import Session
from pageviews_core.job.stopping import Stopping
from pageviews_core.job.watch import watch
from pageviews_core.journal import Journal
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.control import Tick
from pageviews_core.records.request import Request
from pageviews_core.records.run import Job, RunRecord
from pageviews_core.requests import Requests

TOY = """
    import os, signal, time
    from pageviews_core.errors import ConfigurationError, SourceUnavailable
    from pageviews_core.job.cli import build_cli
    from pageviews_core.settings import JobSettings

    class Toy:
        job, module, cron, wakes_on = "ingestor", "toy", "0 0 1 1 *", ("requests/open/",)

        def work(self, session, *, suspended):
            with open(os.environ["TOY_TICKS"], "a") as file:
                file.write(f"{os.getpid()}\\n")
            mood = os.environ.get("TOY_MOOD")
            if mood == "misconfigured":
                raise ConfigurationError("wrong")
            if mood == "unavailable":
                raise SourceUnavailable("down")
            if mood == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            while mood == "busy":
                session.begin()
                session.stopping.check()
                time.sleep(0.02)
            return 0

    if __name__ == "__main__":
        build_cli(JobSettings, lambda settings: Toy(), name="toy", about="A toy.")()
"""


class Toy:
    """What `watch` knows of the module above."""

    job: Job = "ingestor"
    module = "toy"
    cron = "0 0 1 1 *"
    wakes_on: tuple[str, ...] = ("requests/open/",)

    def work(self, session: Session, *, suspended: bool) -> int:
        raise NotImplementedError

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        raise NotImplementedError

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        raise NotImplementedError

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        raise NotImplementedError


class Polls(Stopping):
    """Instead of waiting: time passes, one thing happens, and after the last one a stop is asked for."""

    def __init__(self, clock: FakeClock, *happenings: Callable[[], object]) -> None:
        super().__init__()
        self._clock = clock
        self._left = list(happenings)

    def wait(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        if self._left:
            self._left.pop(0)()
        else:
            self.ask()
        return self.asked()


def nothing() -> None:
    pass


class Yard:
    """Where the toy lives, with a store in memory for the watching itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock(datetime(2026, 11, 20, 10, 14, 50, tzinfo=UTC))
        self.store = InMemoryObjectStore()
        self.journal = Journal(self.store)
        (folder / "toy.py").write_text(textwrap.dedent(TOY))

    def ticks(self) -> list[int]:
        """The PIDs of the processes that ticked."""
        file = self.folder / "ticks"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def watch(self, *happenings: Callable[[], object], cron: str = "0 0 1 1 *") -> ExitCode:
        return watch(Toy(), cron, self.journal, self.clock, Polls(self.clock, *happenings))

    def submit(self) -> None:
        request = Request(
            id="01", kind="backfill", hours=(samples.hour(),), who="ann", why="a gap", created_at=samples.AT
        )
        Requests(self.journal).submit(request)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOY_TICKS", str(tmp_path / "ticks"))
    for name in ("TOY_MOOD", "PAGEVIEWS_STORE_URL", "PAGEVIEWS_CRON"):
        monkeypatch.delenv(name, raising=False)
    return Yard(tmp_path)


def stored_tick(yard: Yard) -> Tick:
    found = Journal(LocalObjectStore(yard.folder / "data/objects")).read(keys.tick("ingestor"), Tick)
    assert found is not None
    return found[0]


def test_it_ticks_at_once_and_then_on_the_schedule_each_time_in_a_new_process(yard: Yard) -> None:
    assert yard.watch(nothing, nothing, nothing, nothing, nothing, cron="15 * * * *") == ExitCode.DONE
    first, second = yard.ticks()
    assert len({first, second, os.getpid()}) == 3
    assert stored_tick(yard).outcome == "idle"


def test_it_ticks_when_something_it_wakes_on_changes_and_not_for_anything_else(yard: Yard) -> None:
    yard.watch(lambda: yard.journal.announce("markers/ingested/x"), nothing)
    assert len(yard.ticks()) == 1
    yard.watch(yard.submit, nothing, nothing)
    assert len(yard.ticks()) == 3


def test_a_store_that_fails_while_it_waits_delays_the_waking_and_no_more(yard: Yard) -> None:
    def fails_once() -> None:
        yard.submit()

        def failing(verb: str, key: str) -> None:
            yard.store.before = no_fault
            raise StoreUnavailable("down")

        yard.store.before = failing

    assert yard.watch(fails_once, nothing, nothing) == ExitCode.DONE
    assert len(yard.ticks()) == 2


@pytest.mark.parametrize("mood", ["unavailable", "killed"])
def test_a_tick_that_fails_is_followed_by_the_next(yard: Yard, monkeypatch: pytest.MonkeyPatch, mood: str) -> None:
    monkeypatch.setenv("TOY_MOOD", mood)
    assert yard.watch(yard.submit, nothing) == ExitCode.DONE
    assert len(yard.ticks()) == 2


def test_a_tick_that_says_the_configuration_is_wrong_ends_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_MOOD", "misconfigured")
    assert yard.watch(nothing, nothing) == ExitCode.CONFIGURATION
    assert len(yard.ticks()) == 1


def test_a_bad_cron_expression_is_refused_before_the_first_tick(yard: Yard) -> None:
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_CRON='every hour'"):
        yard.watch(cron="every hour")
    assert yard.ticks() == []


def run_toy(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toy", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"PAGEVIEWS_CRON": "61 * * * *"}, 78),
        ({"PAGEVIEWS_THREADS": "many"}, 78),
        ({"PAGEVIEWS_STORE_URL": "ftp://x"}, 78),
    ],
)
def test_a_bad_setting_ends_the_command_with_its_name_and_exit_code(
    yard: Yard, environment: dict[str, str], code: int
) -> None:
    result = run_toy("watch", **environment)
    assert result.returncode == code, result.stderr
    (value,) = environment.values()
    assert value in result.stdout
    assert "Traceback" not in result.stderr
    assert yard.ticks() == []


@pytest.mark.parametrize(("mood", "code"), [("", 0), ("misconfigured", 78), ("unavailable", 75)])
def test_one_tick_ends_with_the_code_of_what_happened(yard: Yard, mood: str, code: int) -> None:
    assert run_toy("run", TOY_MOOD=mood).returncode == code
    assert run_toy(TOY_MOOD=mood).returncode == code
    assert len(yard.ticks()) == 2


class Watching:
    """`toy watch` as a process of its own."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toy", "watch"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def until_ticks(self, number: int) -> None:
        deadline = time.monotonic() + 60
        while len(self._yard.ticks()) < number:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stopped(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def watching(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Watching]]:
    started: list[Watching] = []

    def start(mood: str) -> Watching:
        monkeypatch.setenv("TOY_MOOD", mood)
        started.append(Watching(yard))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_sigterm_reaches_the_tick_in_progress_and_ends_both_as_stopped(
    yard: Yard, watching: Callable[[str], Watching]
) -> None:
    one = watching("busy")
    one.until_ticks(1)
    assert one.stopped() == ExitCode.STOPPED
    (pid,) = yard.ticks()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    tick = stored_tick(yard)
    assert tick.run_id is not None
    run = Journal(LocalObjectStore(yard.folder / "data/objects")).read(keys.run_record(tick.run_id), RunRecord)
    assert run is not None
    assert run[0].state == "stopped"


def test_sigterm_between_ticks_ends_it_as_done(yard: Yard, watching: Callable[[str], Watching]) -> None:
    one = watching("")
    one.until_ticks(1)
    assert one.stopped() == ExitCode.DONE
