"""Trying a request again: when it may help, how long to wait, and when to leave it to the next run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import structlog
import tenacity

from pageviews_core.clock import Clock
from pageviews_core.errors import SourceUnavailable, Stopped

log = structlog.get_logger()
T = TypeVar("T")

_NAP = 1.0
"""Seconds of waiting between two looks at whether to stop."""


class TryAgain(Exception):
    """A request failed in a way that may pass; `after` is the number of seconds the server asked to wait."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Retries:
    """Calls again, with growing pauses, what raises TryAgain; at most `attempts` calls in all."""

    def __init__(self, clock: Clock, should_stop: Callable[[], bool], *, attempts: int, longest_wait: float) -> None:
        """`longest_wait` in seconds: a server that asks for more is taken at its word, and left alone."""
        self._clock = clock
        self._should_stop = should_stop
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._backoff = tenacity.wait_random_exponential(multiplier=1, min=1, max=30)

    def call(self, request: Callable[[], T]) -> T:
        """Raises SourceUnavailable when the last attempt failed or the wait is too long, Stopped when asked to stop."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            retry=tenacity.retry_if_exception_type(TryAgain),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(request)
        except TryAgain as exc:
            raise SourceUnavailable(
                f"{exc}; gave up after {self._attempts} attempts. If it lasts, see whether the address answers from "
                "here, or set PAGEVIEWS_SOURCE_URL to a mirror"
            ) from exc

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        after = error.after if isinstance(error, TryAgain) else None
        if after is not None and after > self._longest_wait:
            until = self._clock.now() + timedelta(seconds=after)
            raise SourceUnavailable(f"{error}; it asks to be left alone until {until:%Y-%m-%dT%H:%M:%SZ}") from error
        seconds = self._backoff(state) if after is None else after
        log.info(
            "source_request_repeated", reason=str(error), failed=state.attempt_number, in_seconds=round(seconds, 1)
        )
        return seconds

    def _sleep(self, seconds: float) -> None:
        while seconds > 0:
            if self._should_stop():
                raise Stopped("asked to stop while waiting for the source")
            self._clock.sleep(min(seconds, _NAP))
            seconds -= _NAP


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, which is a number of seconds or a date; None without a usable one."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), timedelta(days=365).total_seconds())
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
