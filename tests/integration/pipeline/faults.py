"""Faults at exact points of a job: what happens inside the faulty process.

A point is a place in a run that has a name: `before create markers/ingested/<hour>/1.json`, `enter step load`,
`after commit`, `dbt built fct_wikipedia_pageviews`. Hours, ids and hashes in keys are left out, so that names are the
same in every run. Every point that is reached is appended to a file; at one of them the process may be struck.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

import ingestor.transfer
import pageviews_core.job.cli
import pageviews_core.job.session
import pageviews_core.lease
import transformer.batch
from pageviews_core.clock import SystemClock
from pageviews_core.hour import Hour
from pageviews_core.job.run import Run
from pageviews_core.lease import Leases
from pageviews_core.object_store import open_object_store
from pageviews_core.object_store.base import Body, ObjectInfo, ObjectStore, Room
from pageviews_core.settings import CoreSettings
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from transformer import dbt_build

How = Literal["kill", "kill_group", "stop", "terminate"]
"""SIGKILL to the process or to its whole group, SIGSTOP, SIGTERM."""

_NORMAL = (
    (re.compile(r"^(runs)/\d{4}/\d\d/\d\d/"), r"\1/<day>/"),
    (re.compile(r"\d{4}/\d\d/\d\d/\d\d"), "<hour>"),
    (re.compile(r"[0-9A-HJKMNP-TV-Z]{26}"), "<ulid>"),
    (re.compile(r"/[0-9a-f]{16}\b"), "/<sha>"),
    (re.compile(r"pageviews-\d{8}-\d{6}"), "pageviews-<end>"),
    (re.compile(r"-\d{8}T\d{6}Z-"), "-<time>-"),
    (re.compile(r"log/\d+"), "log/<n>"),
    (re.compile(r"series/[0-9a-f]{2}/"), "series/<shard>/"),
)


@dataclass(frozen=True)
class Fault:
    """`at`: the name of the point, reached for the first time; None only lists points. `points`: the file for them.

    `in_batch`: it strikes the transformer's child process, not the job itself.
    """

    points: Path
    at: str | None = None
    how: How = "kill"
    in_batch: bool = False


class Points:
    """Notes each point, and strikes at the one of the fault, once."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._struck = False

    def reached(self, name: str) -> None:
        file = os.open(self._fault.points, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, f"{name}\n".encode())
        finally:
            os.close(file)
        if name == self._fault.at and not self._struck:
            self._struck = True
            _STRIKES[self._fault.how]()


_STRIKES: dict[How, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "kill_group": lambda: os.killpg(0, signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
}


def normal_name(verb: str, key: str, body: Body | None) -> str:
    """`create markers/ingested/<hour>/1.json`; of a change and of a run's record it says what they are about."""
    about = ""
    if isinstance(body, bytes) and key.startswith("changes/"):
        about = f" of {_normal(json.loads(body)['key'])}"
    elif isinstance(body, bytes) and key.endswith("/run.json"):
        about = f" ({json.loads(body)['state']})"
    elif isinstance(body, bytes) and key.startswith("leases/"):
        about = " (released)" if json.loads(body)["expires_at"] is None else " (renewed)" if verb == "replace" else ""
    return f"{verb} {_normal(key)}{about}"


def _normal(key: str) -> str:
    for pattern, replacement in _NORMAL:
        key = pattern.sub(replacement, key)
    return key


class FaultingStore:
    """Passes everything on; a point stands before and after each write."""

    def __init__(self, store: ObjectStore, points: Points) -> None:
        self._store = store
        self._points = points
        self.url = store.url

    @contextmanager
    def _writing(self, verb: str, key: str, body: Body | None = None) -> Iterator[None]:
        name = normal_name(verb, key, body)
        self._points.reached(f"before {name}")
        yield
        self._points.reached(f"after {name}")

    def create(self, key: str, body: Body) -> str:
        with self._writing("create", key, body):
            return self._store.create(key, body)

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        with self._writing("replace", key, body):
            return self._store.replace(key, body, etag=etag)

    def put(self, key: str, body: Body) -> str:
        with self._writing("put", key, body):
            return self._store.put(key, body)

    def delete(self, key: str, *, etag: str | None = None) -> None:
        with self._writing("delete", key):
            self._store.delete(key, etag=etag)

    def get(self, key: str) -> tuple[bytes, str]:
        return self._store.get(key)

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        return self._store.open(key, offset=offset)

    def head(self, key: str) -> ObjectInfo:
        return self._store.head(key)

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix, start_after=start_after)

    def room(self) -> Room | None:
        return self._store.room()

    def remarks(self) -> Sequence[str]:
        return self._store.remarks()

    def sweep(self, now: datetime) -> int:
        return self._store.sweep(now)


def set_faults(fault: Fault) -> None:
    """Puts the points into this process, a job, for good."""
    points = Points(fault)
    _in_store_and_commit(points)
    original = Run.step

    @contextmanager
    def step(self: Run, name: str, *hours: Hour) -> Iterator[None]:
        points.reached(f"enter step {name}")
        with original(self, name, *hours):
            yield
        points.reached(f"leave step {name}")

    setattr(Run, "step", step)  # noqa: B010 - a plain assignment to a method is what the type checker refuses


def faulty_batch(fault: Fault) -> None:
    """A batch's whole process, as `transformer.batch.main`, with points in it."""
    points = Points(fault)
    _in_store_and_commit(points)
    original = dbt_build._log_event

    def log_event(event: Any) -> None:
        original(event)
        if event.info.name == "LogModelResult":
            points.reached(f"dbt built {event.data.node_info.node_name}")

    setattr(dbt_build, "_log_event", log_event)  # noqa: B010 - as above
    points.reached("batch started")
    transformer.batch.main()
    points.reached("batch ended")


def _in_store_and_commit(points: Points) -> None:
    def opened(settings: CoreSettings, may_go_on: Callable[[], None] = lambda: None) -> ObjectStore:
        return FaultingStore(open_object_store(settings, may_go_on), points)

    for module in (pageviews_core.job.cli, transformer.batch):
        setattr(module, "open_object_store", opened)  # noqa: B010 - as above
    original = DuckDBWarehouse._commit

    def commit(self: DuckDBWarehouse, db: Any) -> None:
        points.reached("before commit")
        original(self, db)
        points.reached("after commit")

    setattr(DuckDBWarehouse, "_commit", commit)  # noqa: B010 - as above


def set_pace(lease_ttl: float) -> None:
    """Leases of so many seconds, naps of a twentieth of their time, and a source too slow after half a second."""
    ttl = timedelta(seconds=lease_ttl)

    def leases(store: ObjectStore, clock: Any, *, holder: str) -> Leases:
        return Leases(store, clock, holder=holder, ttl=ttl, renew_every=ttl / 4)

    setattr(pageviews_core.job.session, "Leases", leases)  # noqa: B010 - as above
    pageviews_core.lease.WAIT_BEYOND_TTL = timedelta(seconds=1)
    ingestor.transfer._WINDOW, ingestor.transfer._LEAST_IN_WINDOW = 0.5, 500

    def sleep(self: SystemClock, seconds: float) -> None:
        time.sleep(seconds / 20)

    setattr(SystemClock, "sleep", sleep)  # noqa: B010 - as above
