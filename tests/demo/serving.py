"""What `make demo` ends with: the page over the demo's data, both jobs on their schedules, until somebody stops it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

_COMMANDS = (("ingestor", "watch"), ("transformer", "watch"), ("status-api", "serve"))
_POLL_SECONDS = 0.2
_READY_WITHIN_SECONDS = 20
_ENDED_WITHIN_SECONDS = 30


def serve(console: Console, environment: Mapping[str, str], folder: Path, port: int) -> int:
    """Returns 0 after Ctrl-C or SIGTERM, 1 where one of the processes ended by itself."""
    code = secrets.token_urlsafe(32)
    address = f"http://127.0.0.1:{port}"
    page = {"PAGEVIEWS_PORT": str(port), "PAGEVIEWS_ONE_TIME_SIGN_IN": code}
    with _stoppable(), _running({**environment, **page}, folder) as processes:
        try:
            if not _ready(address, processes):
                console.print(f"The page did not come up; see {folder / 'status-api.log'}.", highlight=False)
                return 1
            console.print(
                f"\nThe page: {address}\n"
                f"Once, to sign in as an operator: {address}/sign-in/once?code={code}\n"
                "Both jobs are on their schedules and take requests within seconds. Ctrl-C stops everything.",
                highlight=False,
                soft_wrap=True,
            )
            while all(process.poll() is None for process in processes):
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            console.print("\nStopping.")
            return 0
        ended = next(
            name for (name, _), process in zip(_COMMANDS, processes, strict=True) if process.poll() is not None
        )
        console.print(f"The {ended} ended by itself; see {folder / ended}.log.", highlight=False)
        return 1


@contextmanager
def _running(environment: Mapping[str, str], folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """In process groups of their own: a Ctrl-C on the terminal is ours alone, and they are then asked to end."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name, verb in _COMMANDS:
            command = [str(Path(sys.executable).with_name(f"pageviews-{name}")), verb]
            with (folder / f"{name}.log").open("ab") as log:
                processes.append(
                    subprocess.Popen(
                        command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_ENDED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(address: str, processes: list[subprocess.Popen[bytes]]) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=1):
                return True
        except (urllib.error.URLError, TimeoutError):
            time.sleep(_POLL_SECONDS)
    return False


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does."""

    def stop(_: int, __: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
