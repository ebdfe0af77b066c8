"""Starting jobs as processes of their own, quickly: they are forked from a server that has imported everything."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.integration.pipeline.faults import Fault, faulty_batch, set_faults, set_pace
from tests.integration.pipeline.warm_batches import start_zygote

import transformer.batch

_FORKED = multiprocessing.get_context("forkserver")
_IMPORTED = [
    "pytest",
    "ingestor.cli",
    "ingestor.ingest",
    "transformer.cli",
    "transformer.published",
    "pageviews_core.object_store.s3",
    "pageviews_core.warehouse.snowflake",
    "tests.integration.pipeline.processes",
]
_DEADLINE_SECONDS = 90

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Ended:
    """A process that has ended; `code` is negative for a signal."""

    code: int
    output: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def event(self, name: str) -> dict[str, Any]:
        """The last event of this name; KeyError where there is none."""
        found = [event for event in self.events if event["event"] == name]
        if not found:
            raise KeyError(f"no event {name!r} in:\n{self.output}")
        return found[-1]


@dataclass
class Job:
    """A running `python -m <module> <arguments>`, in a process group of its own."""

    process: ForkServerProcess
    log: Path
    _reaped: Ended | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill_group(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        if self._reaped is None:
            self.process.join(_DEADLINE_SECONDS)
            code = self.process.exitcode
            if code is None:
                self.kill_group()
                self.process.join()
                raise TimeoutError(f"the job did not end by itself:\n{self.log.read_text()}")
            self._reaped = Ended(code, self.log.read_text())
        return self._reaped

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.log.read_text(), f"{text!r} in the job's output")

    def wait_for_state(self, state: str) -> None:
        """`T`: stopped by a signal."""
        stat = Path(f"/proc/{self.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == state, f"process state {state}")


def start_job(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    fault: Fault | None = None,
    lease_ttl: float,
) -> Job:
    """`environment` is added to this process's own. Output goes to the file `log`, which is emptied first."""
    _FORKED.set_forkserver_preload(_IMPORTED)
    log.write_bytes(b"")
    process = _FORKED.Process(target=_be, args=(module, list(arguments), dict(environment), log, fault, lease_ttl))
    process.start()
    return Job(process, log)


def wait_until(happened: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Looks often: for what another process does there is no clock to fake. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"did not come within {seconds} s: {what}")
        time.sleep(0.02)


def job_environment(given: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of the product, and what is given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PAGEVIEWS_", "LOCAL_DATA_DIR"))}
    return {**own, "PYTHONPATH": str(REPOSITORY), **given}


def _be(
    module: str, arguments: list[str], environment: dict[str, str], log: Path, fault: Fault | None, lease_ttl: float
) -> None:
    """The job, in its own process."""
    os.setsid()
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as the process lives
    os.environ.clear()
    os.environ.update(job_environment(environment))
    set_pace(lease_ttl)
    if module == "transformer":
        # What dbt leaves behind when it is killed is told in this job's log, and not when the tests end.
        resource_tracker._resource_tracker._fd = resource_tracker._resource_tracker._pid = None  # type: ignore[attr-defined]
        start_zygote(partial(faulty_batch, fault) if fault and fault.in_batch else transformer.batch.main)
    if fault is not None and not fault.in_batch:
        set_faults(fault)  # after the batches' process was made: those are none of its business
    sys.argv = [f"pageviews-{module}", *arguments]
    importlib.import_module(f"{module}.cli").main()
