"""Running a command in a cold process, with its wall time and the peak memory of its whole process tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLED_EVERY_SECONDS = 0.05
_LAST_WORDS = 2_000
_BYTECODE_KEPT = {"PYTHONDONTWRITEBYTECODE": ""}
"""As in an image: modules are not compiled again by every process."""


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: float
    """From before the start of the process to its end."""
    cpu_seconds: float
    """User and system, of the process and of its children that it waited for."""
    peak_bytes: int
    """The largest sum of resident sizes over the tree: pages that two processes share count twice."""
    output: str

    def then(self, after: Measured) -> Measured:
        """Both, one after the other."""
        return Measured(
            self.seconds + after.seconds,
            self.cpu_seconds + after.cpu_seconds,
            max(self.peak_bytes, after.peak_bytes),
            self.output + after.output,
        )


class CommandFailed(Exception):
    """A measured command ended with another code than 0."""


def run_measured(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Standard output is returned; standard error is appended to `log`. Raises CommandFailed with the last words."""
    with log.open("a") as errors:
        before, began = os.times(), time.perf_counter()
        child = subprocess.Popen(
            command,
            env={**os.environ, **_BYTECODE_KEPT, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        memory = _MemorySampler(child.pid)
        try:
            output, _ = child.communicate()
        finally:
            seconds, after = time.perf_counter() - began, os.times()
            memory.stop()
    if child.returncode:
        said = (output + log.read_text())[-_LAST_WORDS:]
        raise CommandFailed(f"{' '.join(command)} ended with code {child.returncode}:\n{said}")
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return Measured(seconds, cpu, memory.peak, output)


class _MemorySampler:
    """Adds up the resident sizes of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory-sampler")
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLED_EVERY_SECONDS):
            with suppress(psutil.NoSuchProcess):
                tree = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(_resident, tree)))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
