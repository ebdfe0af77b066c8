"""The dumps server in a process of its own, so that its memory is not counted with the job's."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pageviews_core.hour import Hour
from tests.bench.measured_hour import MeasuredHour


@contextmanager
def serving(measured: MeasuredHour, *, at: Hour | None = None) -> Iterator[str]:
    """Serves the measured hour's files as those of the hour `at` (default: its own); yields the base URL."""
    files = ["--file", str(measured.pageviews)]
    if measured.projectviews:
        files += ["--projectviews", str(measured.projectviews)]
    with _served("--hours", "1", "--end", str(at or measured.hour), *files) as url:
        yield url


@contextmanager
def serving_derived(newest: Hour, hours: int, scale: float) -> Iterator[str]:
    """Serves derived hours up to `newest`; yields the base URL."""
    with _served("--hours", str(hours), "--end", str(newest), "--scale", str(scale)) as url:
        yield url


@contextmanager
def _served(*arguments: str) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.tools.dumps_server", "--port", "0", *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    try:
        greeting = server.stdout.readline()
        if " at http://" not in greeting:
            raise RuntimeError(f"the dumps server did not start: {greeting!r}, code {server.poll()}")
        yield greeting.split(" at ")[1].split()[0]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
        server.stdout.close()
