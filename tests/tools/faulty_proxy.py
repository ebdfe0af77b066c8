"""An HTTP proxy in front of a server, which fails where a test says so."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Refuse:
    """Answers in the server's place; the request has no effect."""

    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lose:
    """The request takes effect, and its answer is lost."""


@dataclass(frozen=True)
class Cut:
    """The answer's body breaks off after so many bytes."""

    after: int


Fault = Refuse | Lose | Cut
Rule = Callable[[str, str], Fault | None]
"""Of a request's method and path with its query."""


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.rule: Rule = lambda method, path: None
        self.seen: list[tuple[str, str]] = []
        self.body = b""
        """Of the request that the rule is asked about, unpacked; for one client at a time."""
        self.url = ""

    def fail(self, times: int, fault: Fault, *, method: str, having: str = "") -> None:
        """The next so many requests of the method whose path has the text."""
        left = [times]

        def rule(asked: str, path: str) -> Fault | None:
            if asked != method or having not in path or left[0] == 0:
                return None
            left[0] -= 1
            return fault

        self.rule = rule


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = (
            True  # header and body are two writes: the second would wait 40 ms for the first's ACK
        )

        def log_message(self, *_: Any) -> None:
            pass

        def do_any(self) -> None:
            body = self._body()
            proxy.seen.append((self.command, self.path))
            packed = self.headers.get("Content-Encoding") == "gzip"
            proxy.body = gzip.decompress(body) if packed else body
            fault = proxy.rule(self.command, self.path)
            if isinstance(fault, Refuse):
                text = f"<Error><Code>{fault.code}</Code><Message>as the test asks</Message></Error>".encode()
                self._answer(fault.status, [("Content-Type", "application/xml"), *fault.headers.items()], text)
                return
            server = http.client.HTTPConnection(proxy.upstream.hostname or "", proxy.upstream.port, timeout=60)
            server.request(self.command, self.path, body, dict(self.headers))
            answer = server.getresponse()
            content = answer.read()
            server.close()
            if isinstance(fault, Lose):
                self._hang_up()
            elif isinstance(fault, Cut):
                self._answer(answer.status, answer.getheaders(), content, sent=fault.after)
                self._hang_up()
            else:
                self._answer(answer.status, answer.getheaders(), content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any  # noqa: N815 - the base class's names

        def _body(self) -> bytes:
            if self.headers.get("Expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            del self.headers["Transfer-Encoding"]
            return b"".join(chunks)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, sent: int | None = None) -> None:
            self.send_response_only(status)
            length = {name.lower(): value for name, value in headers}.get("content-length", str(len(content)))
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[:sent])

        def _hang_up(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
