"""A dumps server on loopback that misbehaves as told, one answer after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ScriptedServer:
    """`script` maps a path to its answers; the last one stays. A path without a script is not found."""

    url: str
    script: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers (names in lower case) of every request."""
    at_once: int = 0
    most_at_once: int = 0

    def says(self, path: str, *answers: Answer) -> None:
        self.script[path] = list(answers)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(
            (handler.command, handler.path, {name.lower(): value for name, value in handler.headers.items()})
        )
        answers = self.script.get(handler.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(handler)


def status(code: int, *, body: bytes = b"", **headers: str) -> Answer:
    """A whole answer; `Retry_After="3"` stands for the header of that name."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if code != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def file(content: bytes, *, etag: str | None = '"v1"', last_modified: str | None = None, ranges: bool = True) -> Answer:
    """A file as a good server gives it: conditional requests and ranges are honoured."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        validators = {"ETag": etag, "Last_Modified": last_modified}
        headers: Any = {name: value for name, value in validators.items() if value}
        asked = handler.headers
        if (etag and asked["If-None-Match"] == etag) or (
            not asked["If-None-Match"] and last_modified and asked["If-Modified-Since"] == last_modified
        ):
            status(304, **headers)(handler)
        elif ranges and asked["Range"] and asked["If-Range"] in (etag, last_modified):
            start = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                status(416, Content_Range=f"bytes */{len(content)}")(handler)
            else:
                span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                status(206, body=content[start:], Content_Range=span, **headers)(handler)
        else:
            status(200, body=content, **headers)(handler)

    return answer


def cut(content: bytes, after: int, *, etag: str | None = '"v1"', length: int | None = None) -> Answer:
    """Promises the whole content (or `length` bytes), and hangs up after the first bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(length or len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content[:after])
        handler.close_connection = True

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Not even a status line."""
    handler.close_connection = True


@contextmanager
def serving() -> Iterator[ScriptedServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(ConnectionError):  # a client may well hang up
                super().handle()

        def finish(self) -> None:
            with suppress(ConnectionError):
                super().finish()

        def do_GET(self) -> None:
            with lock:
                script.at_once += 1
                script.most_at_once = max(script.most_at_once, script.at_once)
            try:
                script.answer(self)
            finally:
                with lock:
                    script.at_once -= 1

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
            pass

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script = ScriptedServer(f"http://127.0.0.1:{server.server_port}/other/pageviews")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
