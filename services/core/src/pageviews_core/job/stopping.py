"""SIGTERM and SIGINT as a question that work asks at points where it can stop."""

from __future__ import annotations

import signal
import threading

from pageviews_core.errors import Stopped


class Stopping:
    """Asked for between units of work; `listen` makes the two signals set it."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.ask())

    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()

    def check(self) -> None:
        """Raises Stopped once a stop was asked for."""
        if self.asked():
            raise Stopped("a stop was asked for (SIGTERM); what is left stays owed")

    def wait(self, seconds: float) -> bool:
        """Sleeps, but not past a stop; True if one was asked for."""
        return self._asked.wait(seconds)
