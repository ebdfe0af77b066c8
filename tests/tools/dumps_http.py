"""The sockets of the dumps server: one thread a connection, each request answered by a `DumpsSite`."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

from tests.tools.dumps_site import DumpsSite
from tests.tools.replies import Reply, http_date, refusal

MOST_REQUESTS_AT_ONCE = 3
_IDLE_SECONDS = 60  # a client that says nothing for so long is hung up on
_PIECES_PER_SECOND = 10  # of a slow body


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it came in, and the status it was answered with. `path` has no query."""

    method: str
    path: str
    user_agent: str
    range: str | None
    status: int


class DumpsHTTPServer(ThreadingHTTPServer):
    """Counts what comes in, limits what is answered at once, and can be stopped in the middle of an answer."""

    daemon_threads = False  # so that closing waits for the handlers, and leaves no socket open behind a test

    def __init__(self, address: tuple[str, int], site: DumpsSite) -> None:
        super().__init__(address, _Handler)
        self.site = site
        self.stopping = threading.Event()
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._seen: list[SeenRequest] = []
        self._at_once = 0

    def stop(self) -> None:
        self.shutdown()
        with self._lock:
            self.stopping.set()
            for connection in self._connections:
                _hang_up(connection)
        self.server_close()

    def connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
            if self.stopping.is_set():
                _hang_up(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def begin(self) -> bool:
        """Counts a request in; False if there are too many at once."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self._at_once <= MOST_REQUESTS_AT_ONCE

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1

    def saw(self, request: SeenRequest) -> None:
        with self._lock:
            self._seen.append(request)

    def seen(self) -> list[SeenRequest]:
        with self._lock:
            return list(self._seen)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the client was quicker
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body, a second write, waits 40 ms for the header to be received
    server_version = "dumps-test-server"
    timeout = _IDLE_SECONDS

    @property
    def _http(self) -> DumpsHTTPServer:
        return cast(DumpsHTTPServer, self.server)

    def setup(self) -> None:
        super().setup()
        self._http.connected(self.connection)

    def finish(self) -> None:
        self._http.disconnected(self.connection)
        with suppress(OSError):  # the client hung up with bytes unsent
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client hung up: its right
            super().handle()

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path
        allowed = self._http.begin()
        try:
            reply = self._http.site.answer(self.command, path, self.headers) if allowed else _too_many()
            user_agent = self.headers["User-Agent"] or ""
            self._http.saw(SeenRequest(self.command, path, user_agent, self.headers["Range"], reply.status))
            self._send_head(reply)
            if with_body:
                self._send_body(reply)
        finally:
            self._http.end()

    def _send_head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != HTTPStatus.NOT_MODIFIED:
            length = len(reply.body) if reply.content_length is None else reply.content_length
            self.send_header("Content-Length", str(length))
        if reply.content_length is not None:
            # The next answer would begin in the middle of this one.
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, reply: Reply) -> None:
        body = reply.body[: reply.cut_after]
        if reply.bytes_per_second is None:
            self.wfile.write(body)
        else:
            step = max(1, reply.bytes_per_second // _PIECES_PER_SECOND)
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                if self._http.stopping.wait(step / reply.bytes_per_second):
                    return
        self.close_connection |= reply.cut_after is not None

    def date_time_string(self, timestamp: float | None = None) -> str:
        return http_date(datetime.now(UTC) if timestamp is None else datetime.fromtimestamp(timestamp, UTC))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base class names it so
        """Silent: what came in is in `DumpsServer.requests`."""


def _too_many() -> Reply:
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.", Retry_After="1")
