"""Retention of what runs and requests leave: records, logs, dbt artifacts, progress. Runs go by whole UTC days."""

from __future__ import annotations

from datetime import datetime

from pageviews_core import keys
from pageviews_core.records.housekeeping import RUNS_BY_DAY
from transformer.housekeeping.ages import day_in, made_at
from transformer.housekeeping.settings import HousekeepingSettings
from transformer.housekeeping.work import Work

RUNS = "runs/"
PROGRESS = "progress/"


def retire_runs(work: Work, settings: HousekeepingSettings) -> None:
    """Age counts from now. A run's record sorts after its log and artifacts, so it goes last."""
    before = work.now - settings.retain_runs
    _retire_days(work, RUNS, before, "run_objects")
    _retire_days(work, RUNS_BY_DAY, before, "compacted_days_of_runs")
    _retire_progress(work, before)
    _retire_closed_requests(work, before)


def _retire_days(work: Work, prefix: str, before: datetime, counted_as: str) -> None:
    for info in work.session.store.list(prefix):
        day = day_in(info.key, prefix)
        if day is None:
            continue
        if day >= before.date():
            break
        work.remove([info], counted_as, announce=prefix == RUNS_BY_DAY or info.key.endswith("/run.json"))


def _retire_progress(work: Work, before: datetime) -> None:
    """Not of a request that is still open, however old: its hours would be done again."""
    store = work.session.store
    open_requests = store.list(keys.OPEN_REQUESTS)
    still_open = {info.key.removeprefix(keys.OPEN_REQUESTS).removesuffix(".json") for info in open_requests}
    for info in store.list(PROGRESS):
        request = info.key.split("/")[1]
        at = made_at(request)
        if at is None or request in still_open:
            continue
        if at >= before:
            break
        work.remove([info], "progress_objects", announce=False)


def _retire_closed_requests(work: Work, before: datetime) -> None:
    for info in work.session.store.list(keys.CLOSED_REQUESTS):
        at = made_at(info.key.removeprefix(keys.CLOSED_REQUESTS).removesuffix(".json"))
        if at is None:
            continue
        if at >= before:
            break
        work.remove([info], "closed_requests")
