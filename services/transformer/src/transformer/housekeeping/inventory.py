"""Which hours are complete, from a listing of all markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pageviews_core.hour import Hour
from pageviews_core.markers import newest_generations
from pageviews_core.object_store.base import ObjectStore


@dataclass(frozen=True, slots=True)
class Inventory:
    """The newest generation of each hour, by stage."""

    ingested: Mapping[Hour, int]
    transformed: Mapping[Hour, int]

    @classmethod
    def take(cls, store: ObjectStore) -> Inventory:
        ingested = newest_generations(store, "ingested", None)  # first: what is built meanwhile then counts as built
        return cls(ingested, newest_generations(store, "transformed", None))

    def is_complete(self, hour: Hour) -> bool:
        """Whether it was ingested, and its newest generation transformed."""
        return hour in self.ingested and self.transformed.get(hour, 0) >= self.ingested[hour]

    def owed(self) -> list[Hour]:
        """Ingested hours that are not complete, oldest first."""
        return sorted(hour for hour in self.ingested if not self.is_complete(hour))

    def first_kept(self, retention: timedelta, now: datetime) -> Hour | None:
        """Hours before this one are older than `retention`; None where nothing was ingested yet.

        Age counts from the newest ingested hour, or from now if that is earlier.
        """
        if not self.ingested:
            return None
        at = min(now, max(self.ingested).started_at) - retention
        hour = Hour.containing(at)
        return hour if hour.started_at == at else hour + 1
