"""What nobody looks at any more: old entries of the changes feed, what people wrote long ago, and what killed processes
left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pageviews_core import keys
from transformer.housekeeping.ages import made_at
from transformer.housekeeping.settings import HousekeepingSettings
from transformer.housekeeping.work import Work

KEEP_CHANGES = timedelta(days=7)
KEEP_IDEMPOTENCY_KEYS = timedelta(days=7)
KEEP_NOTES = timedelta(days=120)
"""From when they were written: none lasts longer than 90 days."""
DEAD_AFTER = timedelta(days=1)


def prune(work: Work, settings: HousekeepingSettings) -> None:
    _prune_changes(work)
    _prune_by_id(work, keys.NOTES, KEEP_NOTES, "notes")
    _prune_by_id(work, keys.AUDIT, settings.retain_runs, "audit_entries")
    _prune_ends(work, settings.retain_runs)
    _prune_idempotency_keys(work)
    _sweep_scratch(work, settings.scratch_folder())
    work.counts["temporary_files"] += work.session.store.sweep(work.now)


def _prune_changes(work: Work) -> None:
    """Without a word in the feed itself."""
    for info in work.session.store.list(keys.CHANGES):
        at = made_at(info.key.removeprefix(keys.CHANGES).removesuffix(".json"))
        if at is None:
            continue
        if at >= work.now - KEEP_CHANGES:
            break
        work.remove([info], "changes", announce=False)


def _prune_by_id(work: Work, prefix: str, keep: timedelta, counted_as: str) -> None:
    """Objects whose names are ULIDs."""
    for info in work.session.store.list(prefix):
        at = made_at(info.key.rsplit("/", 1)[1].removesuffix(".json"))
        if at is not None and at < work.now - keep:
            work.remove([info], counted_as)


def _prune_ends(work: Work, keep: timedelta) -> None:
    """By the day in their key: their names are the platform's."""
    for info in work.session.store.list(keys.ENDS):
        if info.key[len(keys.ENDS) :] >= f"{work.now - keep:%Y/%m/%d}":
            break
        work.remove([info], "ends")


def _prune_idempotency_keys(work: Work) -> None:
    for info in work.session.store.list(keys.IDEMPOTENCY_KEYS):
        if info.modified_at < work.now - KEEP_IDEMPOTENCY_KEYS:
            work.remove([info], "idempotency_keys", announce=False)


def _sweep_scratch(work: Work, scratch: Path) -> None:
    """Folders `<service>/<run>` that no process can still use: their run began a day ago, and nothing in them is newer.

    Other folders are left alone, and so is what this user may not delete.
    """
    for folder in scratch.glob("*/*"):
        began_at = made_at(folder.name)
        if began_at is None or not folder.is_dir():
            continue
        work.go_on()
        if max([began_at, *_modified(folder)]) < work.now - DEAD_AFTER:
            shutil.rmtree(folder, ignore_errors=True)
            work.counts["scratch_folders"] += not folder.exists()


def _modified(folder: Path) -> Iterator[datetime]:
    for path in (folder, *folder.rglob("*")):
        try:
            yield datetime.fromtimestamp(path.lstat().st_mtime, UTC)
        except FileNotFoundError:
            continue  # its run is alive, and tidies up
