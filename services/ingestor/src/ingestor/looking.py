"""Reading the picture that a tick plans by, in as few requests to the store as can be."""

from __future__ import annotations

from contextlib import suppress

from ingestor.planning import Picture
from ingestor.settings import IngestorSettings
from ingestor.wikimedia import DumpsClient
from pageviews_core import keys
from pageviews_core.errors import SourceUnavailable
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.markers import newest_generations
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.control import Start
from pageviews_core.watermark import Watermark


def look(session: Session, settings: IngestorSettings, client: DumpsClient, *, remember: bool = True) -> Picture:
    """`remember`: keep the first hour of all, where this look is the one that finds it.

    Raises SourceUnavailable where nothing says which hour is the first.
    """
    now = session.clock.now()
    start = settings.start or _stored_start(session, client, remember=remember)
    floor = Watermark(session.journal).floor(start)
    return Picture(
        now=now,
        start=start,
        end=settings.end,
        settled=floor,
        ingested=newest_generations(session.store, "ingested", floor),
        failures=Failures(session.journal, "ingested").newest(),
    )


def _stored_start(session: Session, client: DumpsClient, *, remember: bool) -> Hour:
    found = session.journal.read(keys.START, Start)
    if found is None:
        newest = client.newest_published(session.clock.now())
        if newest is None:
            raise SourceUnavailable(
                f"{client.base_url} has no file for the last day, so there is no hour to start from. "
                "Set PAGEVIEWS_START to the first hour you want."
            )
        if not remember:
            return newest
        with suppress(ObjectExists):
            session.journal.create(keys.START, Start(hour=newest))
        found = session.journal.read(keys.START, Start)
        assert found is not None
    return found[0].hour
