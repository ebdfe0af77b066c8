"""Requests of people, as the jobs take and close them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Literal

import structlog

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.request import ClosedRequest, Progress, ProgressOutcome, Request
from pageviews_core.records.run import Job

log = structlog.get_logger()


class Requests:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submit(self, request: Request) -> None:
        """Raises ObjectExists if the id was used before."""
        self._journal.create(keys.open_request(request.id), request)

    def open(self) -> list[Request]:
        """Those not closed yet, oldest first."""
        keys_found = [info.key for info in self._journal.store.list(keys.OPEN_REQUESTS)]
        return [request for request in map(self._read_open, keys_found) if request is not None]

    def _read_open(self, key: str) -> Request | None:
        """None for one that is gone, and for one that cannot be understood: it stays open, and holds up nobody."""
        try:
            found = self._journal.read(key, Request)
        except UnknownSchemaVersion as exc:
            log.error("request_refused", key=key, error=str(exc))
            return None
        if found is not None and keys.open_request(found[0].id) != key:
            log.error("request_refused", key=key, error=f"it calls itself {found[0].id}")
            return None
        return found and found[0]

    def take(self, now: datetime) -> list[Request]:
        """The open requests, oldest first; those that were cancelled are closed on the way."""
        requests = {request.id: request for request in self.open()}
        for cancel in [request for request in requests.values() if request.cancels]:
            if requests.pop(cancel.id, None) is None:
                continue  # cancelled itself
            target = requests.pop(str(cancel.cancels), None)
            if target is not None:
                self.close(target, "cancelled", (), now)
            self.close(cancel, "done", (), now)
        return list(requests.values())

    def close(
        self,
        request: Request,
        outcome: Literal["done", "failed", "cancelled"],
        failed_hours: tuple[Hour, ...],
        now: datetime,
    ) -> None:
        closed = ClosedRequest(request=request, outcome=outcome, failed_hours=failed_hours, closed_at=now)
        with suppress(ObjectExists):  # the other job closed it, or this one was killed before the deletion
            self._journal.create(keys.closed_request(request.id), closed)
        self._journal.store.delete(keys.open_request(request.id))

    def hours_dealt_with(self, request: Request, job: Job) -> dict[Hour, ProgressOutcome]:
        """The hours of a forced request that the job has done, or could not do."""
        infos = self._journal.store.list(keys.progress_of(request.id, job))
        return dict(keys.parse_progress(info.key) for info in infos)

    def add_progress(self, progress: Progress) -> None:
        with suppress(ObjectExists):
            self._journal.create(
                keys.progress(progress.request, progress.job, progress.hour, progress.outcome), progress
            )
