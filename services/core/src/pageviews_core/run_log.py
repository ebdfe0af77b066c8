"""A run's log as objects: immutable segments while it runs, one compressed object with an index once it has ended."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from pageviews_core.clock import Clock
from pageviews_core.errors import PageviewsError
from pageviews_core.object_store.base import ObjectExists, ObjectStore
from pageviews_core.run_log_join import join_segments, segment_key

SEGMENT_BYTES = 1 << 20
SEAL_EVERY = timedelta(seconds=5)
BUFFER_BYTES = 8 << 20
"""Kept while the store does not take anything."""

_URGENT = re.compile(rb'"level": ?"(?:error|critical)"')

log = structlog.get_logger()


class RunLog:
    """A sink of JSON lines. Safe to use from several threads, but not from a signal handler.

    A thread seals a segment when it is 1 MiB large or 5 s old, and at once after an error. Nothing here raises into
    the program that logs: while the store fails, 8 MiB are kept; further lines are dropped, and a line
    `log_lines_dropped` says how many, where they are missing.
    """

    def __init__(self, store: ObjectStore, prefix: str, clock: Clock, *, seal_every: timedelta = SEAL_EVERY) -> None:
        """`prefix` is the run's folder, without a slash at the end. Starts the thread."""
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._seal_every = seal_every
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._changing = threading.Lock()
        self._segment = b""
        self._sealed = 0
        self._failing = False
        self._sealing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._sealer = threading.Thread(target=self._keep_sealing, name="run-log", daemon=True)
        self._sealer.start()

    def write(self, line: bytes | str) -> None:
        """Takes one JSON line, with or without its line feed; makes no request itself."""
        data = line.encode(errors="backslashreplace") if isinstance(line, str) else line
        if not data.endswith(b"\n"):
            data += b"\n"
        with self._changing:
            if self._bytes < BUFFER_BYTES // 2:
                self._tell_dropped()
            if self._dropped or self._bytes + len(data) > BUFFER_BYTES:
                self._dropped += 1
                return
            self._append(data)
            urgent = self._bytes >= SEGMENT_BYTES or _URGENT.search(data) is not None
        if urgent and not self._failing:
            self._wake.set()

    def seal(self) -> bool:
        """Writes what there is as segments, now. False where the store does not take it: then it is kept for later."""
        with self._sealing:
            try:
                while self._next_segment():
                    self._store_segment()
                self._failing = False
                return True
            except PageviewsError as exc:
                error, is_news = str(exc), not self._failing
                self._failing = True
        if is_news:
            log.warning("run_log_not_stored", prefix=self._prefix, error=error)
        return False

    def close(self) -> None:
        """Seals, and joins the segments to one object with an index; segments that cannot be joined stay."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._sealer.join()
        with self._changing:
            self._tell_dropped()
        if not self.seal():
            log.warning("run_log_incomplete", prefix=self._prefix, bytes_lost=self._bytes)
            return
        try:
            join_segments(self._store, self._prefix)
        except (PageviewsError, OSError) as exc:  # OSError: the disk for temporary files is full, or there is none
            log.warning("run_log_not_joined", prefix=self._prefix, error=str(exc))

    def _next_segment(self) -> bytes:
        """What is to be stored next, empty for nothing. It stays the same until it is stored, since an attempt that
        failed may have written it all the same."""
        if not self._segment:
            taken: list[bytes] = []
            size = 0
            with self._changing:
                if self._bytes < BUFFER_BYTES // 2:
                    self._tell_dropped()
                while self._lines and (not taken or size + len(self._lines[0]) <= SEGMENT_BYTES):
                    taken.append(self._lines.popleft())
                    size += len(taken[-1])
            self._segment = b"".join(taken)
        return self._segment

    def _store_segment(self) -> None:
        with suppress(ObjectExists):  # written by an attempt whose answer was lost
            self._store.create(segment_key(self._prefix, self._sealed + 1), self._segment)
        self._sealed += 1
        with self._changing:
            self._bytes -= len(self._segment)
        self._segment = b""

    def _append(self, data: bytes) -> None:
        self._lines.append(data)
        self._bytes += len(data)

    def _tell_dropped(self) -> None:
        if self._dropped:
            event = {"event": "log_lines_dropped", "level": "warning", "lines": self._dropped}
            self._append(json.dumps({**event, "time": self._clock.now().isoformat()}).encode() + b"\n")
            self._dropped = 0

    def _keep_sealing(self) -> None:
        while not self._closed:
            self._wake.wait(self._seal_every.total_seconds())
            self._wake.clear()
            self.seal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
