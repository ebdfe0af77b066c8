"""Whether the object store can be read, asked within a bounded time however long the store takes to answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread

import structlog

from pageviews_core import keys
from pageviews_core.errors import PageviewsError
from pageviews_core.object_store.base import ObjectNotFound, ObjectStore

WITHIN_SECONDS = 2.0

log = structlog.get_logger()


def ask(store: ObjectStore) -> PageviewsError | None:
    """What keeps the store from being read; None if it can be. An object that is not there is an answer."""
    try:
        store.head(keys.SETTLED)
    except ObjectNotFound:
        return None
    except PageviewsError as exc:
        return exc
    return None


class Readiness:
    """One question at a time: probes that come while the store hangs wait for the same answer."""

    def __init__(self, store: ObjectStore, *, within_seconds: float = WITHIN_SECONDS) -> None:
        self._store = store
        self._within_seconds = within_seconds
        self._asked: Future[PageviewsError | None] | None = None
        self._reason: str | None = None

    async def reason_against(self) -> str | None:
        """Why the store cannot be read, without its address; None if it can be. The log says more, once a change."""
        if self._asked is None or self._asked.done():
            self._asked = _in_background(self._store)
        try:
            error = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._asked)), self._within_seconds)
        except TimeoutError:
            return self._changed(f"no answer within {self._within_seconds:g} s", "")
        return self._changed(type(error).__name__, str(error)) if error else self._changed(None, "")

    def _changed(self, reason: str | None, detail: str) -> str | None:
        if reason != self._reason:
            if reason:
                log.error("object_store_unreadable", reason=reason, detail=detail)
            else:
                log.info("object_store_readable_again")
        self._reason = reason
        return reason


def _in_background(store: ObjectStore) -> Future[PageviewsError | None]:
    """In a daemon thread: one that hangs must hold up neither other requests nor the end of the process."""
    answer: Future[PageviewsError | None] = Future()

    def run() -> None:
        try:
            answer.set_result(ask(store))
        except Exception as exc:
            answer.set_exception(exc)

    Thread(target=run, name="readiness", daemon=True).start()
    return answer
