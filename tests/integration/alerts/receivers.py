"""What stands at the other end of Alertmanager: an HTTP server and a mail server that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Received:
    posts: list[tuple[str, Any]] = field(default_factory=list)
    """Path and decoded JSON."""
    mails: list[EmailMessage] = field(default_factory=list)
    http: str = ""
    smtp: str = ""
    """Addresses."""

    def wait_for(self, found: Callable[[], T | None], *, seconds: float = 20) -> T:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (value := found()) is not None:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not received in {seconds} s; there were {self.posts} and {len(self.mails)} mails")


@contextmanager
def receivers() -> Iterator[Received]:
    received = Received()

    class Http(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.posts.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text)
                    received.mails.append(BytesParser(EmailMessage, policy=default).parsebytes(b"".join(lines)))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a client that keeps its connection, and ends

    with Quiet(("127.0.0.1", 0), Http) as http, socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as smtp:
        received.http = f"http://127.0.0.1:{http.server_address[1]}"
        received.smtp = f"127.0.0.1:{smtp.server_address[1]}"
        for server in (http, smtp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield received
        finally:
            http.shutdown()
            smtp.shutdown()
