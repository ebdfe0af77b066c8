"""The index of a store, filling from the moment that it is opened."""

from __future__ import annotations

from pageviews_core.clock import Clock
from pageviews_core.object_store.base import ObjectStore
from status_api.index.running import RunningIndex
from status_api.settings import StatusSettings


def open_index(store: ObjectStore, settings: StatusSettings, clock: Clock) -> RunningIndex:
    """Returns at once; to be closed."""
    index = RunningIndex(store, settings, clock)
    index.start()
    return index
