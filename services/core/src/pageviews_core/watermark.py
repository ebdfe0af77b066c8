"""The watermark `control/settled.json`: hours before it need no look, which bounds every tick's listing.

Whoever writes a marker before the watermark lowers it first, and looks again afterwards; the transformer raises it; a
daily look at all markers repairs what a kill between those steps may have hidden.
"""

from __future__ import annotations

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.control import Settled

_ATTEMPTS = 20


def first_unsettled(settled: Settled | None, start: Hour) -> Hour:
    """The first hour that needs a look. A start that was moved back makes hours owed that the watermark never saw."""
    return max(settled.before, start) if settled and settled.start <= start else start


class Watermark:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self) -> tuple[Settled | None, str | None]:
        """The watermark and the ETag that `raise_to` needs."""
        found = self._journal.read(keys.SETTLED, Settled)
        return found if found else (None, None)

    def floor(self, start: Hour) -> Hour:
        """The first hour that needs a look, when `start` is the first that can be owed."""
        return first_unsettled(self.read()[0], start)

    def lower_to(self, hour: Hour) -> bool:
        """Makes sure that the hour is looked at; True if the watermark had to be lowered.

        Raises ObjectChanged if others keep changing it.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            settled, etag = self.read()
            if settled is None or settled.before <= hour:
                return False
            try:
                self._journal.swap(keys.SETTLED, Settled(start=min(settled.start, hour), before=hour), etag)
            except ObjectChanged:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError("unreachable")

    def raise_to(self, start: Hour, before: Hour, etag: str | None) -> bool:
        """Moves the watermark unless somebody changed it since it was read with `etag`; True if it was moved."""
        try:
            self._journal.swap(keys.SETTLED, Settled(start=start, before=before), etag)
        except (ObjectChanged, ObjectExists):
            return False
        return True
