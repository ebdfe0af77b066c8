"""Publishing: the marts are read in one go, the objects written, and the index replaced last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pageviews_core import keys
from pageviews_core.clock import Clock
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectStore
from pageviews_core.records.published import PublishedIndex, PublishedRecord
from pageviews_core.warehouse.base import Warehouse
from transformer.published.followed import read_followed
from transformer.published.marts import Marts
from transformer.published.objects import named_keys, new_bytes, write_objects
from transformer.published.pruning import prune
from transformer.published.pulse import read_pulse
from transformer.published.series import series_of
from transformer.published.thresholds import Thresholds, read_thresholds
from transformer.published.top import read_top
from transformer.published.traffic import read_traffic
from transformer.published.trending import read_trending
from transformer.published.window import read_window
from transformer.watched import Article, watched_articles

if TYPE_CHECKING:
    from transformer.settings import TransformerSettings

_ATTEMPTS = 3
_PAGE_KEY_TYPES = {"duckdb": "ubigint", "snowflake": "number(20, 0)"}
"""As the dbt project's contracts have it."""

log = structlog.get_logger()


def publish(
    warehouse: Warehouse, store: ObjectStore, settings: TransformerSettings, clock: Clock, *, run_id: str
) -> None:
    """Replaces the published results by what the marts hold now.

    Gives up, with a line in the log, where the index is already of a newer hour, or where a mart was never built.
    Raises ConfigurationError for a bad PAGEVIEWS_WATCH, UnknownSchemaVersion for an index of another version, and what
    warehouse and store raise.
    """
    publisher = _Publisher(
        warehouse,
        store,
        clock,
        run_id,
        schema=settings.warehouse_schema,
        page_key_type=_PAGE_KEY_TYPES[settings.warehouse],
        thresholds=read_thresholds(settings.dbt_project_folder()),
        watched=watched_articles(settings.watch),
    )
    for _ in range(_ATTEMPTS):
        try:
            publisher.publish()
        except (ObjectChanged, ObjectExists):
            # What was read may be older than what is there now; so it is not written, but read again.
            log.info("published_by_another_meanwhile")
        else:
            return
    log.warning("publishing_given_up", attempts=_ATTEMPTS)


@dataclass(frozen=True)
class _Publisher:
    warehouse: Warehouse
    store: ObjectStore
    clock: Clock
    run_id: str
    schema: str
    page_key_type: str
    thresholds: Thresholds
    watched: tuple[Article, ...]

    def publish(self) -> None:
        """Raises ObjectChanged or ObjectExists where somebody else published since this began."""
        began, started = self.clock.now(), self.clock.monotonic()
        journal = Journal(self.store)
        found = journal.read(keys.PUBLISHED_INDEX, PublishedIndex)
        before, etag = found or (None, None)
        with self.warehouse.reading() as reader:
            marts = Marts(reader, self.schema, self.page_key_type)
            if missing := marts.missing():
                log.info("marts_not_built_yet", missing=sorted(missing))
                return
            newest, records = self._read(marts)
        read = self.clock.monotonic()
        if before is not None and _is_older(newest, before.newest_hour):
            log.info("published_results_are_newer", published=str(before.newest_hour), newest_hour=str(newest))
            return
        objects = write_objects(self.store, records, before, began)
        if before is not None and (before.newest_hour, before.objects) == (newest, objects):
            log.info("published_results_unchanged", newest_hour=str(newest))
            return
        index = PublishedIndex(generated_at=began, run_id=self.run_id, newest_hour=newest, objects=objects)
        journal.swap(keys.PUBLISHED_INDEX, index, etag)
        log.info(
            "results_published",
            newest_hour=str(newest),
            objects=len(objects),
            bytes=sum(item.bytes for item in objects),
            bytes_written=new_bytes(objects, before),
            read_seconds=round(read - started, 3),
            seconds=round(self.clock.monotonic() - started, 3),
        )
        prune(self.store, named_keys(before, index), began)

    def _read(self, marts: Marts) -> tuple[Hour | None, Mapping[str, PublishedRecord]]:
        """The newest hour, and the objects by name."""
        window = read_window(marts)
        followed = read_followed(marts, window, self.watched) if window else {}
        hours = {key: item.hours for key, item in followed.items()}
        records: dict[str, PublishedRecord] = {
            "pulse": read_pulse(marts, window, self.thresholds),
            "trending": read_trending(marts, window, self.thresholds, hours),
            "top": read_top(marts, window),
            "traffic": read_traffic(marts, window),
        }
        if window:
            records.update(series_of(window, self.thresholds, followed.values()))
        return window.newest if window else None, records


def _is_older(hour: Hour | None, published: Hour | None) -> bool:
    return published is not None and (hour is None or hour < published)
