"""What is read of the store, and in which order: what is newest, and what is in trouble, first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge

from pydantic_core import from_json

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectInfo, ObjectNotFound, ObjectStore
from pageviews_core.records.housekeeping import (
    RUNS_BY_DAY,
    CompactedDays,
    IngestedDay,
    RunsDay,
    TransformedDay,
    compacted_day,
    compacted_days,
    markers_by_day,
)
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from status_api.index.run_rows import RunRows, rows_of_content

_FIRST = ("control/", "failures/", keys.OPEN_REQUESTS, "published/index.json", "notes/")
_LAST = (keys.ENDS, keys.CLOSED_REQUESTS, "audit/")
_RUNS = "runs/"

Decoded = IngestedMarker | TransformedMarker | RunRows


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that is to be read; `records` where a compacted day holds it already."""

    key: str
    etag: str | None = None
    record: Decoded | None = None


def body_of(store: ObjectStore, key: str) -> bytes | None:
    """None where there is no such object, or no more."""
    try:
        return store.get(key)[0]
    except ObjectNotFound:
        return None


@dataclass(frozen=True)
class Reading:
    store: ObjectStore
    now: datetime

    @property
    def _journal(self) -> Journal:
        return Journal(self.store)

    def few(self) -> Iterator[Listed]:
        """What there is little of, and what people look for first."""
        for prefix in _FIRST:
            yield from (Listed(info.key, info.etag) for info in self.store.list(prefix))

    def last(self) -> Iterator[Listed]:
        for prefix in _LAST:
            yield from (Listed(info.key, info.etag) for info in self.store.list(prefix))

    def markers(self, stage: Stage) -> list[ObjectInfo]:
        """All of them, newest first."""
        return list(self.store.list(keys.markers(stage)))[::-1]

    def marker_objects(self, infos: Mapping[Stage, list[ObjectInfo]]) -> Iterator[Listed]:
        """The same of all stages, an hour's side by side: so it is settled once."""
        stages = [self._marker_objects(stage, found) for stage, found in infos.items()]
        return merge(*stages, key=lambda each: each.key.split("/", 2)[2], reverse=True)

    def _marker_objects(self, stage: Stage, infos: list[ObjectInfo]) -> Iterator[Listed]:
        """Those of a compacted day that did not change since are read with their day."""
        compacted = self._compacted(markers_by_day(stage))
        day_type = IngestedDay if stage == "ingested" else TransformedDay
        day, there = None, dict[tuple[str, str], Decoded]()
        for info in infos:
            hour_day = _day_of(info.key, len(keys.markers(stage)))
            if hour_day != day:
                day = hour_day
                there = {}
                if day is not None and day in compacted:
                    there = self._day(compacted_day(markers_by_day(stage), day), day_type)
            yield Listed(info.key, info.etag, there.get((info.key, info.etag)))

    def run_days(self) -> list[date]:
        """Days that may have runs, newest first: those with a compacted object, and those since."""
        compacted = self._compacted(RUNS_BY_DAY)
        first = min(compacted, default=None)
        oldest = self._first_run_day()
        begin = min(filter(None, (first, oldest)), default=None)
        if begin is None:
            return []
        today = self.now.date() + timedelta(days=1)  # a clock that is ahead of ours
        return [today - timedelta(days=back) for back in range((today - begin).days + 1)]

    def runs_of(self, day: date, compacted: set[date]) -> Iterator[Listed]:
        if day in compacted and (records := self._compacted_runs(day)):
            yield from records
            return
        for info in self.store.list(f"{_RUNS}{day:%Y/%m/%d}/"):
            if info.key.endswith("/run.json"):
                yield Listed(info.key, info.etag)

    def _compacted_runs(self, day: date) -> list[Listed]:
        """Empty where the day cannot be read."""
        try:
            content = from_json(self.store.get(compacted_day(RUNS_BY_DAY, day))[0])
            if content["schema_version"] != RunsDay.version_supported:
                return []
            return [
                Listed(original["key"], original["etag"], rows_of_content(record))
                for original, record in zip(content["made_from"], content["records"], strict=True)
            ]
        except (ObjectNotFound, KeyError, TypeError, ValueError, AttributeError):
            return []

    def compacted_run_days(self) -> set[date]:
        return self._compacted(RUNS_BY_DAY)

    def _first_run_day(self) -> date | None:
        first = next(iter(self.store.list(_RUNS)), None)
        return _day_of(first.key, len(_RUNS)) if first else None

    def _compacted(self, prefix: str) -> set[date]:
        try:
            found = self._journal.read(compacted_days(prefix), CompactedDays)
        except UnknownSchemaVersion:
            return set()
        return {date.fromisoformat(day) for day in found[0].digests} if found else set()

    def _day(self, key: str, kind: type[IngestedDay] | type[TransformedDay]) -> dict[tuple[str, str], Decoded]:
        """By key and ETag of the originals; empty where the day cannot be read: then its objects are, one by one."""
        try:
            body, _ = self.store.get(key)
            day = kind.decode(body, key)
        except (ObjectNotFound, UnknownSchemaVersion):
            return {}
        records: tuple[Decoded, ...] = day.records
        return {(each.key, each.etag): record for each, record in zip(day.made_from, records, strict=True)}


def _day_of(key: str, start: int) -> date | None:
    try:
        return date.fromisoformat(key[start : start + 10].replace("/", "-"))
    except ValueError:
        return None
