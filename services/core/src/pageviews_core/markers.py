"""Reading markers: which hours are done at a stage, and in which generation."""

from __future__ import annotations

import structlog

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectStore
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker

log = structlog.get_logger()


def newest_generations(
    store: ObjectStore, stage: Stage, start: Hour | None, last: Hour | None = None
) -> dict[Hour, int]:
    """The newest generation of every hour from `start` to `last` that has a marker; None: no bound there."""
    prefix = keys.markers(stage)
    newest: dict[Hour, int] = {}
    for info in store.list(prefix, start_after=f"{prefix}{start.path}" if start else ""):
        try:
            hour, generation = keys.parse_marker(info.key)
        except ValueError:
            log.warning("stray_object", key=info.key)
            continue
        if last and hour > last:
            break
        newest[hour] = max(generation, newest.get(hour, 0))
    return newest


def newest_generation(store: ObjectStore, stage: Stage, hour: Hour) -> int:
    """0 where the hour has no marker."""
    infos = store.list(f"{keys.markers(stage)}{hour.path}/")
    return max((keys.parse_marker(info.key)[1] for info in infos), default=0)


def read_ingested(journal: Journal, hour: Hour, generation: int) -> IngestedMarker | None:
    """Raises UnknownSchemaVersion."""
    found = journal.read(keys.marker("ingested", hour, generation), IngestedMarker)
    return found and found[0]


def read_transformed(journal: Journal, hour: Hour, generation: int) -> TransformedMarker | None:
    """Raises UnknownSchemaVersion."""
    found = journal.read(keys.marker("transformed", hour, generation), TransformedMarker)
    return found and found[0]
