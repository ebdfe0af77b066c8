"""Whoever is told of lineage and traces: an HTTP server that keeps what it is sent, hangs, or refuses."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Manner = Literal["takes", "hangs", "refuses"]


@dataclass
class Collector:
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    _bodies: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self._bodies)

    def events(self) -> list[dict[str, Any]]:
        """OpenLineage's, in their order."""
        return [json.loads(body) for path, body in self._bodies if path == "/api/v1/lineage"]

    def spans(self) -> list[tuple[str, Span]]:
        """OpenTelemetry's, each with the name of its service."""
        found = []
        for path, body in self._bodies:
            if path != "/v1/traces":
                continue
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                [service] = [
                    each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
                ]
                found += [(service, span) for scope in resource.scope_spans for span in scope.spans]
        return found


@contextmanager
def collector(manner: Manner = "takes") -> Iterator[Collector]:
    kept, leaving = Collector(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.headers.append({name.lower(): value for name, value in self.headers.items()})
            kept._bodies.append((self.path, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
            if manner == "hangs":
                leaving.wait()
                return
            self.send_response(200 if manner == "takes" else 400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield kept
        finally:
            leaving.set()
            server.shutdown()


@contextmanager
def of_no_use(how: str) -> Iterator[str]:
    """The address of one that hangs, refuses, or is gone."""
    with collector("refuses" if how == "refuses" else "hangs") as server:
        if how != "gone":
            yield server.url
    if how == "gone":
        yield server.url
