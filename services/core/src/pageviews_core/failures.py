"""Hours that could not be done: when to look again, and why they failed. A listing of keys is enough to plan by."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import takewhile

import structlog

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.keys import FailureKey
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.failure import Failure, FailureKind
from pageviews_core.records.marker import Stage

log = structlog.get_logger()

LONGEST_PAUSE: dict[FailureKind, timedelta] = {"failed": timedelta(hours=6), "unpublished": timedelta(hours=24)}


def pause_after(attempt: int, kind: FailureKind, first: timedelta) -> timedelta:
    """Doubles with each attempt, from the first pause up to the kind's longest."""
    return min(first * (1 << min(attempt - 1, 16)), LONGEST_PAUSE[kind])


class Failures:
    """Of one stage. Attempts are created once each, so a process that wakes late overwrites nothing."""

    def __init__(self, journal: Journal, stage: Stage) -> None:
        self._journal = journal
        self.stage = stage

    def newest(self) -> dict[Hour, FailureKey]:
        """The last attempt of every hour that has failed and was not done since."""
        found: dict[Hour, FailureKey] = {}
        for info in self._journal.store.list(keys.failures(self.stage)):
            try:
                key = keys.parse_failure(info.key)
            except ValueError:
                log.warning("stray_object", key=info.key)
                continue
            found[key.hour] = key  # attempts are zero-padded, so the listing ends with the newest
        return found

    def read(self, key: FailureKey) -> Failure | None:
        found = self._journal.read(keys.failure(self.stage, key), Failure)
        return found and found[0]

    def add(
        self,
        hour: Hour,
        kind: FailureKind,
        error: BaseException,
        *,
        now: datetime,
        run_id: str,
        before: FailureKey | None,
        first_pause: timedelta,
        evidence: str | None = None,
    ) -> Failure:
        """Leaves the record of one more attempt; `before` is the last one, as listed."""
        previous = self.read(before) if before else None
        same = previous is not None and previous.kind == kind
        attempt = before.attempt + 1 if before else 1
        # An hour that turns from not published to failing starts with short pauses again.
        pause = pause_after(self._in_a_row(before, kind) + 1, kind, first_pause)
        failure = Failure(
            stage=self.stage,
            hour=hour,
            kind=kind,
            attempt=attempt,
            failing_since=previous.failing_since if previous and same else now,
            at=now,
            next_try_at=(now + pause).replace(microsecond=0),
            error_type=type(error).__name__,
            error=str(error),
            evidence=evidence,
            run_id=run_id,
        )
        key = keys.failure(self.stage, FailureKey(hour, attempt, failure.next_try_at, kind))
        with suppress(ObjectExists):  # another process had the same failure in the same second
            self._journal.create(key, failure)
        return failure

    def clear(self, hour: Hour) -> None:
        """The hour is done: its failures are history, which the run records keep."""
        for key in self._keys_of(hour):
            self._journal.delete(key)

    def _in_a_row(self, last: FailureKey | None, kind: FailureKind) -> int:
        """How many attempts up to `last` were of this kind, without another between them."""
        if last is None:
            return 0
        known = [keys.parse_failure(key) for key in self._keys_of(last.hour)]
        kinds = {key.attempt: key.kind for key in known if key.attempt <= last.attempt}
        return sum(1 for _ in takewhile(lambda found: found == kind, reversed(kinds.values())))

    def _keys_of(self, hour: Hour) -> list[str]:
        return [info.key for info in self._journal.store.list(f"{keys.failures(self.stage)}{hour.path}/")]
