"""What was written lately: by the changes feed, and the ticks, which are not in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import get_args

import structlog
from ulid import ULID

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.object_store.base import ObjectStore
from pageviews_core.records.control import Change
from pageviews_core.records.run import Job
from status_api.index.reading import body_of

FEED_REACH = timedelta(minutes=10)
"""Clocks differ: changes may come with an id from so long ago."""

log = structlog.get_logger()


class Feed:
    """Raises what the store does."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: set[str] = set()
        self._ticks: dict[str, bytes | None] = {}

    def begin(self) -> None:
        """What is announced from here on is new."""
        self._seen = set(self._listed())

    @contextmanager
    def changed(self) -> Iterator[list[str]]:
        """Keys of the objects that changed, each once; they are new again if the block raises."""
        listed = self._listed()
        changed: dict[str, None] = {}
        for key in listed:
            if key in self._seen:
                continue
            body = body_of(self._store, key)
            try:
                if body is not None:
                    changed[Change.decode(body, key).key] = None
            except UnknownSchemaVersion as exc:
                log.warning("change_not_understood", key=key, error=str(exc))
        # A tick that finds nothing shall cost the job no more requests than it must: none announces itself.
        ticks = {keys.tick(job): body_of(self._store, keys.tick(job)) for job in get_args(Job)}
        changed.update((key, None) for key, body in ticks.items() if self._ticks.get(key) != body)
        yield list(changed)
        self._seen, self._ticks = set(listed), ticks

    def _listed(self) -> list[str]:
        since = str(ULID.from_datetime(self._clock.now() - FEED_REACH))[:10]
        return [info.key for info in self._store.list(keys.CHANGES, start_after=f"{keys.CHANGES}{since}")]
