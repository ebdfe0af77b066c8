"""A bounded queue with a thread behind it, so that a receiver that hangs or is gone costs a run nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
Send = Callable[[T], None]

log = structlog.get_logger()


class Outbox(Generic[T]):
    """`connect` is called in the thread, for the first item, and returns what sends one; either may raise anything."""

    def __init__(self, connect: Callable[[], Send[T]], *, name: str, capacity: int, patience: float) -> None:
        """`capacity` in items; `patience` in seconds: what `close` gives the receiver for each step forward."""
        self._connect = connect
        self._name = name
        self._patience = patience
        self._waiting: queue.Queue[T | None] = queue.Queue(capacity)
        self._thread: threading.Thread | None = None
        self._put = 0
        self._sent = 0
        self._error: str | None = None

    def put(self, item: T) -> None:
        """Never waits: where the queue is full, the item is dropped."""
        self._put += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"{self._name}-outbox", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._error = "the queue is full"

    def close(self) -> None:
        """Waits while the receiver takes what is left, for five times the patience at most; then drops the rest.

        Says in the log how many items were dropped, if any were.
        """
        if self._thread is None:
            return
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        until, before = time.monotonic() + 5 * self._patience, -1
        while self._thread.is_alive() and self._sent > before and time.monotonic() < until:
            before = self._sent
            self._thread.join(self._patience)
        if dropped := self._put - self._sent:
            log.warning(f"{self._name}_dropped", dropped=dropped, sent=self._sent, reason=self._error or "no answer")

    def _work(self) -> None:
        send: Send[T] | None = None
        while (item := self._waiting.get()) is not None:
            try:
                send = send or self._connect()
                send(item)
                self._sent += 1
            except Exception as exc:
                self._error = type(exc).__name__  # its text may hold the receiver's address
