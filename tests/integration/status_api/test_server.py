"""The real program: its server on loopback, its log, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


class Server:
    """A child process that serves on a free port."""

    def __init__(self, folder: Path, **environment: str) -> None:
        mine = {"LOCAL_DATA_DIR": str(folder), "PAGEVIEWS_PORT": "0", "PAGEVIEWS_LOG_FORMAT": "json", **environment}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAGEVIEWS_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "status_api"], env=inherited | mine, stdout=subprocess.PIPE, text=True
        )
        self.log: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        serving = self.wait_for("serving")
        return f"http://{serving['host']}:{serving['port']}"

    def wait_for(self, event: str) -> dict[str, Any]:
        """Reads the log until the event comes."""
        for entry in self.log:
            if entry["event"] == event:
                return entry
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == event:
                return self.log[-1]
        raise AssertionError(f"{event} never came: {self.log}")

    def stop(self, number: int) -> int:
        """The exit code."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        self.log += map(json.loads, output.splitlines())
        return self.process.returncode


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_a_signal_ends_it_with_0(server: Server, number: int) -> None:
    url = server.url
    assert httpx.get(f"{url}/readyz").json() == {"status": "ok"}
    assert server.stop(number) == 0
    assert server.log[-1]["event"] == "stopped"


def test_every_line_is_json_with_the_servers_own_among_them(server: Server) -> None:
    httpx.get(f"{server.url}/version")
    httpx.get(f"{server.url}/livez")
    server.stop(signal.SIGTERM)
    events = [entry["event"] for entry in server.log]
    assert "uvicorn_said" in events
    assert [entry["path"] for entry in server.log if entry["event"] == "request_served"] == ["/version"]
    assert {entry["service"] for entry in server.log} == {"pageviews-status-api"}


def test_an_idle_connection_does_not_hold_up_the_end(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        client.get("/livez")
        assert server.stop(signal.SIGTERM) == 0


def test_a_request_that_never_ends_does_not_hold_up_the_end(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\n")
        assert server.stop(signal.SIGTERM) == 0


def test_a_port_that_is_taken_ends_it_with_78(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(tmp_path, PAGEVIEWS_PORT=str(taken.getsockname()[1]))
        output, _ = server.process.communicate(timeout=20)
    assert server.process.returncode == 78
    assert "PAGEVIEWS_PORT" in json.loads(output.splitlines()[-1])["error"]
