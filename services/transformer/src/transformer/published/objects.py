"""Writing the published objects: immutable, each under a key of its own, and again only where the content changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from ulid import ULID

from pageviews_core.object_store.base import ObjectStore
from pageviews_core.records.published import PublishedIndex, PublishedObject, PublishedRecord

PREFIX = "published/"


def write_objects(
    store: ObjectStore, records: Mapping[str, PublishedRecord], before: PublishedIndex | None, now: datetime
) -> tuple[PublishedObject, ...]:
    """What an index is to name: objects of the present one where they hold the same, else new ones."""
    known = {item.name: item for item in before.objects} if before else {}
    return tuple(_written(store, name, record, known.get(name), now) for name, record in records.items())


def _written(
    store: ObjectStore, name: str, record: PublishedRecord, known: PublishedObject | None, now: datetime
) -> PublishedObject:
    body = record.encode()
    sha256 = hashlib.sha256(body).hexdigest()
    if known is not None and known.sha256 == sha256:
        return known
    key = f"{PREFIX}{name}/{ULID.from_datetime(now)}.json"
    store.create(key, body)
    return PublishedObject(name=name, key=key, sha256=sha256, bytes=len(body))


def named_keys(*indexes: PublishedIndex | None) -> frozenset[str]:
    return frozenset(item.key for index in indexes if index for item in index.objects)


def new_bytes(objects: Iterable[PublishedObject], before: PublishedIndex | None) -> int:
    """Of the objects that the index before did not name."""
    known = named_keys(before)
    return sum(item.bytes for item in objects if item.key not in known)
