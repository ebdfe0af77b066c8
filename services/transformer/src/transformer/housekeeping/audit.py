"""Repairs what a kill may have hidden: an hour that is owed, below the watermark that bounds every tick's look."""

from __future__ import annotations

import structlog

from pageviews_core.watermark import Watermark
from transformer.housekeeping.inventory import Inventory
from transformer.housekeeping.work import Work

log = structlog.get_logger()


def audit(work: Work) -> None:
    """Lowers the watermark to the first owed hour before it; the next tick then finds it. Raises ObjectChanged."""
    watermark = Watermark(work.session.journal)
    settled, _ = watermark.read()
    inventory = Inventory.take(work.session.store)
    work.counts["hours"] = len(inventory.ingested)
    hidden = [hour for hour in inventory.owed() if settled is not None and hour < settled.before]
    if hidden:
        log.warning("owed_hours_were_hidden", hours=len(hidden), first=str(hidden[0]))
        watermark.lower_to(hidden[0])
        work.counts["hidden_hours"] = len(hidden)
