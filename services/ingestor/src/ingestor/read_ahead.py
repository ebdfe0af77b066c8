"""Downloading the files of the hours that come next, while the hour before them is decoded and loaded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from ingestor.wikimedia import Downloaded, DumpsClient, NotModified, NotPublished
from pageviews_core.decoding.scratch import writing
from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour

log = structlog.get_logger()


class ReadAhead:
    """At most `workers - 1` files at a time: one connection is left to the hour at hand.

    Only whole files come out of it. What fails here is not told: the hour's own download meets it again, and there it
    has its error, its retries and its evidence.
    """

    def __init__(self, open_client: Callable[[Callable[[], bool]], DumpsClient], folder: Path, *, workers: int) -> None:
        """`open_client` is given the question whether to give up, and called when there is something to read ahead.

        `folder` is this object's own; it is removed at the end.
        """
        self._open_client = open_client
        self._folder = folder
        self.most = workers - 1
        """So many hours at a time."""
        self._pool = ThreadPoolExecutor(max(1, self.most), thread_name_prefix="read-ahead")
        self._begun: dict[Hour, Future[Downloaded | NotModified | NotPublished]] = {}
        self._ended = threading.Event()
        self._clients = ExitStack()

    @cached_property
    def _client(self) -> DumpsClient:
        return self._clients.enter_context(self._open_client(self._ended.is_set))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Downloads that are still under way are given up."""
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._clients.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def expect(self, at_hand: Hour, later: Sequence[Hour]) -> None:
        """Begins with the hours after the one at hand, soonest first; what nobody waits for any more is dropped."""
        for hour in self._begun.keys() - {at_hand, *later}:
            self._drop(hour)
        for hour in later:
            if len(self._begun.keys() - {at_hand}) >= self.most:
                break
            if hour not in self._begun:
                self._begun[hour] = self._pool.submit(self._fetch, self._client, hour)

    def take(self, hour: Hour, to: Path) -> Downloaded | None:
        """The hour's file, moved to `to`; waits for it where it is under way. None: it has to be downloaded."""
        future = self._begun.pop(hour, None)
        if future is None:
            return None
        try:
            found = future.result()
        except (PageviewsError, OSError) as exc:
            log.info("read_ahead_failed", hour=str(hour), error_type=type(exc).__name__, error=str(exc))
            return None
        if not isinstance(found, Downloaded):
            return None
        with writing(to):
            found.path.rename(to)
        return replace(found, path=to)

    def _drop(self, hour: Hour) -> None:
        future = self._begun[hour]
        if future.cancel() or future.done():
            del self._begun[hour]
            with suppress(OSError):
                self._path(hour).unlink(missing_ok=True)

    def _path(self, hour: Hour) -> Path:
        return self._folder / f"{hour}.gz"

    def _fetch(self, client: DumpsClient, hour: Hour) -> Downloaded | NotModified | NotPublished:
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        to = self._path(hour)
        try:
            return client.fetch_pageviews(hour, to)
        except BaseException:
            with suppress(OSError):
                to.with_name(f"{to.name}.part").unlink(missing_ok=True)
            raise
