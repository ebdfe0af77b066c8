"""The object store in memory, for tests: the port's promises, requests counted, faults on demand."""

from __future__ import annotations

import io
import threading
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pageviews_core.object_store.base import Body, ObjectChanged, ObjectExists, ObjectInfo, ObjectNotFound, Room
from pageviews_core.object_store.key_rules import check_key

Fault = Callable[[str, str], None]
"""Called with the verb and the key (or prefix) of a request; raises what the request shall fail with."""


def no_fault(verb: str, key: str) -> None:
    pass


class InMemoryObjectStore:
    """Safe to use from several threads.

    `before` is called ahead of each request: a failure there means that nothing was written. `after` is called once a
    write was done: a failure there is an answer lost on the way. Both may be exchanged at any time.
    """

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.url = "memory:"
        self.requests: Counter[str] = Counter()
        self.before: Fault = no_fault
        self.after: Fault = no_fault
        self._now = now
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}
        self._keys: list[str] = []
        self._writes = 0
        self._lock = threading.RLock()

    def create(self, key: str, body: Body) -> str:
        self._begin("create", key)
        data = _read(body)
        with self._lock:
            if key in self._objects:
                raise ObjectExists(key)
            etag = self._write(key, data)
        self.after("create", key)
        return etag

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        self._begin("replace", key)
        data = _read(body)
        with self._lock:
            self._require(key, etag)
            new = self._write(key, data)
        self.after("replace", key)
        return new

    def put(self, key: str, body: Body) -> str:
        self._begin("put", key)
        etag = self._write(key, _read(body))
        self.after("put", key)
        return etag

    def get(self, key: str) -> tuple[bytes, str]:
        self._begin("get", key)
        data, info = self._find(key)
        return data, info.etag

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        self._begin("open", key)
        stream = io.BytesIO(self._find(key)[0])
        stream.seek(offset)
        return stream

    def head(self, key: str) -> ObjectInfo:
        self._begin("head", key)
        return self._find(key)[1]

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        self.requests["list"] += 1
        self.before("list", prefix)
        with self._lock:
            first = bisect_right(self._keys, start_after)
            found = [self._objects[key][1] for key in self._keys[first:] if key.startswith(prefix)]
        yield from found

    def sweep(self, now: datetime) -> int:
        """Its writes leave nothing behind."""
        return 0

    def delete(self, key: str, *, etag: str | None = None) -> None:
        self._begin("delete", key)
        with self._lock:
            if etag is not None and key in self._objects:
                self._require(key, etag)
            if self._objects.pop(key, None) is not None:
                self._keys.remove(key)
        self.after("delete", key)

    def room(self) -> Room | None:
        return None

    def remarks(self) -> Sequence[str]:
        return []

    def all_keys(self) -> tuple[str, ...]:
        """All keys in order; not a request."""
        with self._lock:
            return tuple(self._keys)

    def _begin(self, verb: str, key: str) -> None:
        check_key(key)
        self.requests[verb] += 1
        self.before(verb, key)

    def _find(self, key: str) -> tuple[bytes, ObjectInfo]:
        with self._lock:
            try:
                return self._objects[key]
            except KeyError:
                raise ObjectNotFound(key) from None

    def _require(self, key: str, etag: str) -> None:
        if key not in self._objects or self._objects[key][1].etag != etag:
            raise ObjectChanged(key)

    def _write(self, key: str, data: bytes) -> str:
        with self._lock:
            self._refuse_key_as_folder(key)
            self._writes += 1
            if key not in self._objects:
                insort(self._keys, key)
            info = ObjectInfo(key, f"write-{self._writes}", len(data), self._now())
            self._objects[key] = (data, info)
            return info.etag

    def _refuse_key_as_folder(self, key: str) -> None:
        parts = key.split("/")
        ancestors = ("/".join(parts[:length]) for length in range(1, len(parts)))
        first_below = bisect_right(self._keys, key + "/")
        is_folder = first_below < len(self._keys) and self._keys[first_below].startswith(key + "/")
        if is_folder or any(ancestor in self._objects for ancestor in ancestors):
            raise ValueError(f"{key!r} cannot be a key here: it, or a part of it, is a folder of other keys")


def _read(body: Body) -> bytes:
    return body.read_bytes() if isinstance(body, Path) else body
