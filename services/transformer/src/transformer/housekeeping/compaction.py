"""Closed days become one object each for markers and for runs, so that history is read day by day.

The originals of markers stay: they are what reconciling lists. A day whose listing differs from what its object was
made from was reopened, by an hour restated or loaded late, and is compacted again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.object_store.base import ObjectInfo
from pageviews_core.records.base import Record
from pageviews_core.records.housekeeping import (
    RUNS_BY_DAY,
    CompactedDay,
    CompactedDays,
    IngestedDay,
    Original,
    RunsDay,
    TransformedDay,
    compacted_day,
    compacted_days,
    markers_by_day,
)
from pageviews_core.records.marker import IngestedMarker, TransformedMarker
from pageviews_core.records.run import RunRecord
from transformer.housekeeping.ages import by_day
from transformer.housekeeping.inventory import Inventory
from transformer.housekeeping.runs import RUNS
from transformer.housekeeping.work import BudgetSpent, Work

CLOSED_AFTER = timedelta(hours=36)
MAX_DAYS = 31
"""Of each kind at a tick; the next one goes on."""

R = TypeVar("R", bound=Record)
log = structlog.get_logger()


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One kind of record that is compacted by day."""

    originals: str
    """Their prefix, which the day's path follows."""
    suffix: str
    compacted: str
    """The prefix of the days' objects."""
    record: type[R]
    day: type[CompactedDay[R]]


INGESTED = Kind(keys.markers("ingested"), ".json", markers_by_day("ingested"), IngestedMarker, IngestedDay)
TRANSFORMED = Kind(
    keys.markers("transformed"), ".json", markers_by_day("transformed"), TransformedMarker, TransformedDay
)
RUN_RECORDS = Kind(RUNS, "/run.json", RUNS_BY_DAY, RunRecord, RunsDay)


def compact(work: Work) -> None:
    """Newest days first. Raises UnknownSchemaVersion for a record of a newer version, after all other days were done,
    and BudgetSpent while more days are left than one tick may take."""
    owed = {hour.started_at.date() for hour in Inventory.take(work.session.store).owed()}
    compactions: list[_Compaction[Any]] = [
        _Compaction(work, INGESTED, lambda day: day not in owed),
        _Compaction(work, TRANSFORMED, lambda day: day not in owed),
        _Compaction(work, RUN_RECORDS, lambda _: True),
    ]
    days_left = [compaction.run() for compaction in compactions]
    refused = [compaction.refused for compaction in compactions if compaction.refused is not None]
    if refused:
        raise refused[0]
    if any(days_left):
        raise BudgetSpent


class _Compaction(Generic[R]):
    def __init__(self, work: Work, kind: Kind[R], is_complete: Callable[[date], bool]) -> None:
        self._work = work
        self._journal = work.session.journal
        self._kind = kind
        self._is_complete = is_complete
        self.refused: UnknownSchemaVersion | None = None

    def run(self) -> int:
        """How many days are left for the next tick."""
        index_key = compacted_days(self._kind.compacted)
        found = self._journal.read(index_key, CompactedDays)
        known = dict(found[0].digests) if found else {}
        listed = {day: _digest(self._wanted(infos)) for day, infos in self._closed_days()}
        there = {info.key for info in self._journal.store.list(self._kind.compacted)}
        # Days that runs have retired from drop out of the index with their objects.
        digests = {str(day): known[str(day)] for day in listed if str(day) in known and self._key(day) in there}
        stale = [day for day in sorted(listed, reverse=True) if digests.get(str(day)) != listed[day]]
        try:
            for day in stale[:MAX_DAYS]:
                self._work.go_on()
                self._compact_unless_refused(day, digests)
        finally:
            if digests != known:
                self._journal.put(index_key, CompactedDays(digests=digests))
        return len(stale[MAX_DAYS:])

    def _closed_days(self) -> Iterable[tuple[date, list[ObjectInfo]]]:
        for day, infos in by_day(self._journal.store.list(self._kind.originals), self._kind.originals):
            ended_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            if ended_at + CLOSED_AFTER >= self._work.now:
                break
            if self._is_complete(day) and self._wanted(infos):
                yield day, infos

    def _wanted(self, infos: Iterable[ObjectInfo]) -> list[Original]:
        return [Original(key=info.key, etag=info.etag) for info in infos if info.key.endswith(self._kind.suffix)]

    def _compact_unless_refused(self, day: date, digests: dict[str, str]) -> None:
        try:
            digests[str(day)] = self._compact(day)
        except UnknownSchemaVersion as exc:
            log.warning("day_not_compacted", day=str(day), kind=self._kind.originals, error=str(exc))
            self.refused = self.refused or exc

    def _compact(self, day: date) -> str:
        """The digest of what the day's object is made from."""
        originals = self._wanted(self._journal.store.list(f"{self._kind.originals}{day:%Y/%m/%d}/"))
        before = self._journal.read(self._key(day), self._kind.day)  # refuses what a newer version wrote
        if before is None or list(before[0].made_from) != originals:
            originals = self._write(day, originals)
        return _digest(originals)

    def _write(self, day: date, originals: Iterable[Original]) -> list[Original]:
        read: list[tuple[R, Original]] = []
        for original in originals:
            found = self._journal.read(original.key, self._kind.record)
            if found is not None:
                read.append((found[0], Original(key=original.key, etag=found[1])))
        made_from = [original for _, original in read]
        self._journal.put(
            self._key(day),
            self._kind.day(
                day=day,
                records=tuple(record for record, _ in read),
                made_from=tuple(made_from),
                compacted_at=self._work.now,
            ),
        )
        self._work.counts["days_compacted"] += 1
        return made_from

    def _key(self, day: date) -> str:
        return compacted_day(self._kind.compacted, day)


def _digest(originals: Iterable[Original]) -> str:
    text = "\n".join(f"{original.key} {original.etag}" for original in originals)
    return hashlib.sha256(text.encode()).hexdigest()
