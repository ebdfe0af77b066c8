"""The status service as a process of its own, on a port of loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

_READY_WITHIN_SECONDS = 30
_ENDS_WITHIN_SECONDS = 20


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class StatusProcess:
    """Serves the store in `folder`/objects while entered; its log is `folder`/status-api.log."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "status-api.log"
        own = {"LOCAL_DATA_DIR": str(folder), "PAGEVIEWS_PORT": str(self.port), "PAGEVIEWS_LOG_FORMAT": "json"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAGEVIEWS_")}
        self._environment = {**inherited, **own, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "status_api"], env=self._environment, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def wait_until_ready(self) -> None:
        """Raises TimeoutError with the log."""
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise TimeoutError(f"{self.url} does not serve:\n{self.log.read_text()}")
