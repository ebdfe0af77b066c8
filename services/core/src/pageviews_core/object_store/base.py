"""The object store as the pipeline sees it: immutable blobs and small records under keys, with conditional writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

Body = bytes | Path
"""An object's content: bytes in memory, or a file to be streamed (never read into memory whole)."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    etag: str
    """Opaque; changes with every change of the content. Writes of the same bytes may share one (on S3 they do), so a
    record that is swapped holds something that never comes back: a time, a growing number, an id."""
    size: int
    """Bytes."""
    modified_at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class Room:
    """Of the disk that holds the objects, in bytes; `free` is what this user may still take."""

    free: int
    total: int


class ObjectNotFound(Exception):
    """No object has this key."""


class ObjectExists(Exception):
    """`create` found the key taken."""


class ObjectChanged(Exception):
    """`replace` or `delete` found another ETag than the one given; `replace` also where it found no object."""


class ObjectStore(Protocol):
    """Keys are `/`-separated and relative; no part is empty or begins with a dot (`key_rules`: ValueError otherwise).
    No key is the folder of another one: `a` and `a/b` cannot both be objects; a local folder refuses that, S3 does not.

    Every method raises StoreUnavailable for what may pass (unreachable, throttled, disk full) and ConfigurationError
    for what will not (no permission, no such bucket). Writes are atomic: a reader sees the old object or the new.
    """

    url: str

    def create(self, key: str, body: Body) -> str:
        """Writes a key that does not exist yet and returns its ETag. Raises ObjectExists."""
        ...

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        """Overwrites the key if it still has `etag`, and returns the new ETag. Raises ObjectChanged."""
        ...

    def put(self, key: str, body: Body) -> str:
        """Writes the key whatever it held, and returns its ETag."""
        ...

    def get(self, key: str) -> tuple[bytes, str]:
        """A small object's whole content, with its ETag. Raises ObjectNotFound."""
        ...

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """A stream of the object's content from byte `offset`, to be closed by the caller. Raises ObjectNotFound."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """Raises ObjectNotFound."""
        ...

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys begin with `prefix` and sort (by code point) after `start_after`, in that order."""
        ...

    def sweep(self, now: datetime) -> int:
        """Removes what writes that never ended left behind more than a day ago, and says how many there were."""
        ...

    def remarks(self) -> Sequence[str]:
        """What an operator should know of how the store is set up; nothing that keeps it from working."""
        ...

    def room(self) -> Room | None:
        """How full it is; None for a store without an end."""
        ...

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Removes the key; no error where it does not exist. With `etag`, raises ObjectChanged if it has another."""
        ...
