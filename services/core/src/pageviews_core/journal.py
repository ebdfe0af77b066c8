"""Records in the object store, each write announced in the changes feed so that readers need not list everything."""

from __future__ import annotations

from typing import TypeVar

from ulid import ULID

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectNotFound, ObjectStore
from pageviews_core.records.base import Record
from pageviews_core.records.control import Change

R = TypeVar("R", bound=Record)


class Journal:
    """Typed reads and writes over an ObjectStore; raises what the store raises, and UnknownSchemaVersion on reading."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def read(self, key: str, record: type[R]) -> tuple[R, str] | None:
        """The record with its ETag, or None where there is no such object."""
        try:
            body, etag = self.store.get(key)
        except ObjectNotFound:
            return None
        return record.decode(body, key), etag

    def create(self, key: str, record: Record) -> None:
        """Raises ObjectExists."""
        self.store.create(key, record.encode())
        self.announce(key)

    def put(self, key: str, record: Record) -> None:
        self.store.put(key, record.encode())
        self.announce(key)

    def swap(self, key: str, record: Record, etag: str | None) -> None:
        """Writes over exactly the version that was read (`etag` None: there was none).

        Raises ObjectChanged or ObjectExists where somebody else was faster.
        """
        if etag is None:
            self.store.create(key, record.encode())
        else:
            self.store.replace(key, record.encode(), etag=etag)
        self.announce(key)

    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.announce(key)

    def announce(self, key: str) -> None:
        change = Change(kind=key.split("/", 1)[0], key=key)
        self.store.put(keys.change(str(ULID())), change.encode())
