"""Enough of Kubernetes' API over HTTP for one namespace: what the status service asks of it, and refusals."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "data"


class KubernetesAPI:
    """`cron_jobs` by name; `jobs`, `pods` and `events` as listed; `refuse` names the resources that get 403."""

    def __init__(self) -> None:
        self.cron_jobs: dict[str, Any] = {}
        self.listed: dict[str, list[Any]] = {"jobs": [], "pods": [], "events": []}
        self.refuse: set[str] = set()
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.created: dict[str, Any] = {}

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                api.asked.append((url.path, parse_qs(url.query)))
                kind, _, name = url.path.split(f"/namespaces/{NAMESPACE}/")[1].partition("/")
                if kind in api.refuse:
                    self._status(403, "Forbidden", f"{kind} is forbidden: may not be listed")
                elif kind == "cronjobs" and name not in api.cron_jobs:
                    self._status(404, "NotFound", f'cronjobs.batch "{name}" not found')
                else:
                    self._answer(200, api.cron_jobs[name] if name else {"items": api.listed[kind]})

            def do_POST(self) -> None:
                job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if "create" in api.refuse:
                    self._status(403, "Forbidden", "may not create jobs")
                elif job["metadata"]["name"] in api.created:
                    self._status(409, "AlreadyExists", "it is there")
                else:
                    api.created[job["metadata"]["name"]] = job
                    self._answer(201, job)

            def _status(self, code: int, reason: str, message: str) -> None:
                self._answer(code, {"kind": "Status", "reason": reason, "message": message})

            def _answer(self, code: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kubeconfig(self, folder: Path) -> Path:
        """A file that signs in to it."""
        server = f"http://127.0.0.1:{self._server.server_port}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
            "current-context": "x",
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(content))
        return path
