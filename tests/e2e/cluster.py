"""One namespace of a cluster, by kubectl and helm as a user has them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from tests.tools.status_process import free_port
from tests.tools.system_tools import helm

CHART = "helm/wikipedia-pageviews"
T = TypeVar("T")


class CommandFailed(Exception):
    """With what it printed."""


class Namespace:
    def __init__(self, name: str) -> None:
        self.name = name

    def create(self) -> None:
        """One that holds every pod to the standard `restricted`."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": labels}}])
        self.wait("default ServiceAccount", 30, lambda: self.kubectl("get", "serviceaccount", "default"))

    def delete(self) -> None:
        run(["kubectl", "delete", "namespace", self.name, "--ignore-not-found", "--wait=false"])

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Raises CommandFailed."""
        return run(["kubectl", "--namespace", self.name, *arguments], given)

    def helm(self, *arguments: str) -> str:
        return run([helm(), "--namespace", self.name, *arguments])

    def apply(self, objects: list[dict[str, Any]]) -> None:
        self.kubectl(
            "apply", "--filename", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def get(self, kind: str, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output", "json"))
        return content

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "--selector", selector, "--output", "json"))[
            "items"
        ]
        return found

    def can(self, account: str, verb: str, *what: str) -> bool:
        command = ["kubectl", "--namespace", self.name, "auth", "can-i", verb, *what]
        command.append(f"--as=system:serviceaccount:{self.name}:{account}")
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() == "yes"

    def wait(self, what: str, seconds: float, attempt: Callable[[], T]) -> T:
        """The first answer that is true; an attempt may fail until then. Raises TimeoutError with its last answer."""
        deadline = time.monotonic() + seconds
        while True:
            last: object
            try:
                answer = attempt()
                if answer:
                    return answer
                last = answer
            except (CommandFailed, httpx.HTTPError, KeyError, IndexError, AssertionError) as exc:
                last = exc
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s; last: {last!r}"[:3000])
            time.sleep(0.5)

    def job(self, cron_job: str, name: str) -> str:
        """A Job made by hand from the CronJob's template. Returns its name."""
        self.kubectl("create", "job", f"--from=cronjob/{cron_job}", name)
        return name

    def job_ended(self, name: str, seconds: float = 120) -> str:
        """`Complete` or `Failed`."""

        def ended() -> str:
            conditions = self.get("job", name)["status"].get("conditions", [])
            return next((each["type"] for each in conditions if each["type"] in ("Complete", "Failed")), "")

        return self.wait(f"the end of Job {name}", seconds, ended)

    def pods_of(self, job: str) -> list[dict[str, Any]]:
        return self.items("pods", f"batch.kubernetes.io/job-name={job}")

    @contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[str]:
        """An address here that leads to the service; it follows the service's pods when they change."""
        local = free_port()
        with _Forward(self.name, service, local, port):
            yield f"http://127.0.0.1:{local}"


class _Forward:
    """`kubectl port-forward` ends with the pod that it found: a loop starts it again."""

    def __init__(self, namespace: str, service: str, local: int, port: int) -> None:
        command = f"kubectl --namespace {namespace} port-forward service/{service} {local}:{port}"
        again = f"{command} >/dev/null 2>&1 & child=$!; wait $child; sleep 0.3"
        self._command = ["bash", "-c", f"trap 'kill $child; exit' TERM; while :; do {again}; done"]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def run(command: list[str], given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)[:300]}: {(done.stderr + done.stdout).strip()[-3000:]}")
    return done.stdout


def memory_of(text: str) -> float:
    """MiB that the process says it holds, of its metrics."""
    found = re.search(r"^process_resident_memory_bytes ([0-9.e+]+)", text, re.MULTILINE)
    assert found, text[:500]
    return float(found[1]) / 1024**2
