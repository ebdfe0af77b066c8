"""Deleting published objects that no index names any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from pageviews_core import keys
from pageviews_core.errors import PageviewsError
from pageviews_core.object_store.base import ObjectStore
from transformer.published.objects import PREFIX

GRACE = timedelta(hours=1)
DELETED_AT_MOST = 300
"""By one run: some four publishes' worth, so that it keeps up."""

log = structlog.get_logger()


def prune(store: ObjectStore, named: Collection[str], began: datetime) -> None:
    """Deletes objects that are not `named` and were made more than an hour before `began`: when this publish read the
    index. So even a process that is paused here deletes nothing of what others publish meanwhile.

    What fails is left for the next publish.
    """
    try:
        forsaken = [
            info.key
            for info in store.list(PREFIX)
            if info.key not in named and _made_at(info.key, began) < began - GRACE
        ]
        deleted = forsaken[:DELETED_AT_MOST]
        for key in deleted:
            store.delete(key)
    except PageviewsError as exc:
        log.warning("published_objects_not_pruned", error=str(exc))
        return
    if forsaken:
        log.info(
            "published_objects_pruned", deleted=len(forsaken[:DELETED_AT_MOST]), left=len(forsaken[DELETED_AT_MOST:])
        )


def _made_at(key: str, otherwise: datetime) -> datetime:
    """By the ULID in the key; `otherwise` where there is none, as in the index's own."""
    try:
        return keys.time_of(key.rpartition("/")[2].removesuffix(".json"))
    except ValueError:
        return otherwise
