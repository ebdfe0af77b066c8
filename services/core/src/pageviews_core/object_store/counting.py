"""An object store that counts the requests made through it, as a bill would."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from pageviews_core.object_store.base import Body, ObjectInfo, ObjectStore, Room

LISTING_PAGE = 1000
"""Keys that one listing request returns at most, on S3."""


class CountingObjectStore:
    """Passes everything on to `store`. Requests that fail count too. Safe to use from several threads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.url = store.url

    @property
    def requests(self) -> dict[str, int]:
        """By verb: create, replace, put, get, open, head, list, sweep, delete."""
        with self._lock:
            return dict(self._requests)

    @property
    def total(self) -> int:
        with self._lock:
            return self._requests.total()

    def create(self, key: str, body: Body) -> str:
        self._count("create")
        return self._store.create(key, body)

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        self._count("replace")
        return self._store.replace(key, body, etag=etag)

    def put(self, key: str, body: Body) -> str:
        self._count("put")
        return self._store.put(key, body)

    def get(self, key: str) -> tuple[bytes, str]:
        self._count("get")
        return self._store.get(key)

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        self._count("open")
        return self._store.open(key, offset=offset)

    def head(self, key: str) -> ObjectInfo:
        self._count("head")
        return self._store.head(key)

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Counts when iterated: one request, and one more for each further 1,000 keys taken."""
        self._count("list")
        for position, info in enumerate(self._store.list(prefix, start_after=start_after)):
            if position and position % LISTING_PAGE == 0:
                self._count("list")
            yield info

    def sweep(self, now: datetime) -> int:
        self._count("sweep")
        return self._store.sweep(now)

    def room(self) -> Room | None:
        return self._store.room()

    def remarks(self) -> Sequence[str]:
        return self._store.remarks()

    def delete(self, key: str, *, etag: str | None = None) -> None:
        self._count("delete")
        self._store.delete(key, etag=etag)

    def _count(self, verb: str) -> None:
        with self._lock:
            self._requests[verb] += 1
