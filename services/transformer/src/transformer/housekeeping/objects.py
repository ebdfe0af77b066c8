"""Retention of an hour's objects: the file as served, its decoded form, and what was rejected of it.

An hour that is not complete keeps both its raw and its landing objects, however old. A complete one may lose the last
of the two, and with it the possibility to be built again, only past the retention of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.markers import read_ingested
from pageviews_core.object_store.base import ObjectInfo, ObjectNotFound
from pageviews_core.records.marker import IngestedMarker
from transformer.housekeeping.ages import by_hour, made_at
from transformer.housekeeping.inventory import Inventory
from transformer.housekeeping.settings import HousekeepingSettings
from transformer.housekeeping.work import Work

ABANDONED_AFTER = timedelta(days=1)


def retire_objects(work: Work, settings: HousekeepingSettings) -> None:
    """Oldest first. Raises UnknownSchemaVersion for a marker of a newer version: then nothing of its hour goes."""
    inventory = Inventory.take(work.session.store)

    def first_kept(retention: timedelta) -> Hour | None:
        return inventory.first_kept(retention, work.now)

    both = first_kept(max(settings.retain_raw_objects, settings.retain_landing))
    hours = _Hours(work, inventory, both)
    hours.retire_landing(first_kept(settings.retain_landing))
    hours.retire_raw(first_kept(settings.retain_raw_objects))
    hours.retire_quarantine(first_kept(settings.retain_quarantine))


@dataclass(frozen=True)
class _Hours:
    work: Work
    inventory: Inventory
    both: Hour | None
    """The first hour that is not yet past the retention of both, raw and landing."""

    def retire_raw(self, first_kept: Hour | None) -> None:
        for hour, infos in by_hour(self.work.session.store.list(keys.RAW), keys.RAW):
            if first_kept is None or hour >= first_kept:
                break
            if self._may_lose(hour, keeping="landing"):
                self.work.remove(infos, "raw_objects")

    def retire_landing(self, first_kept: Hour | None) -> None:
        """With the attempts that no marker names: those go as soon as no process can still be at work on them."""
        for hour, infos in by_hour(self.work.session.store.list(keys.LANDING), keys.LANDING):
            ended = [info for info in infos if self._attempt_is_over(info)]
            if not ended:
                continue
            if first_kept is not None and hour < first_kept and self._may_lose(hour, keeping="raw"):
                self.work.remove(ended, "landing_objects")
            else:
                self.work.remove(self._abandoned(hour, ended), "abandoned_landing_objects")

    def retire_quarantine(self, first_kept: Hour | None) -> None:
        for hour, infos in by_hour(self.work.session.store.list(keys.QUARANTINE), keys.QUARANTINE):
            if first_kept is None or hour >= first_kept:
                break
            self.work.remove(infos, "quarantine_objects")

    def _may_lose(self, hour: Hour, *, keeping: Literal["raw", "landing"]) -> bool:
        self.work.go_on()
        if not self.inventory.is_complete(hour):
            self.work.counts["hours_kept_until_complete"] += 1
            return False
        if self.both is not None and hour < self.both:
            return True
        marker = self._marker(hour, self.inventory.ingested[hour])
        return marker is not None and self._is_there(getattr(marker.objects, keeping))

    def _attempt_is_over(self, info: ObjectInfo) -> bool:
        """A run that goes through many hours may be older than its newest object, so that counts too."""
        run_started_at = made_at(info.key.split("/")[-2])
        if run_started_at is None:
            return False
        return max(run_started_at, info.modified_at) < self.work.now - ABANDONED_AFTER

    def _abandoned(self, hour: Hour, infos: Iterable[ObjectInfo]) -> list[ObjectInfo]:
        markers = (self._marker(hour, generation + 1) for generation in range(self.inventory.ingested.get(hour, 0)))
        named = {marker.objects.landing for marker in markers if marker is not None}
        return [info for info in infos if info.key not in named]

    def _marker(self, hour: Hour, generation: int) -> IngestedMarker | None:
        return read_ingested(self.work.session.journal, hour, generation)

    def _is_there(self, key: str) -> bool:
        try:
            self.work.session.store.head(key)
        except ObjectNotFound:
            return False
        return True
