"""What every task works with: the session, a count of what was done, and the question whether it may go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.object_store.base import ObjectInfo


class BudgetSpent(Exception):
    """The rest of the task is left to the next tick."""


@dataclass
class Work:
    session: Session
    counts: Counter[str] = field(default_factory=Counter)
    facts_retired_before: Hour | None = None
    """Set by the task that retires facts."""

    @property
    def now(self) -> datetime:
        return self.session.clock.now()

    def go_on(self) -> None:
        """Between units of work. Raises BudgetSpent, or Stopped where a stop was asked for."""
        if not self.session.may_start_more():
            raise BudgetSpent

    def remove(self, infos: Iterable[ObjectInfo], counted_as: str, *, announce: bool = True) -> None:
        """Deletes the objects; readers are told unless nobody looks at them one by one."""
        for info in infos:
            self.go_on()
            if announce:
                self.session.journal.delete(info.key)
            else:
                self.session.store.delete(info.key)
            self.counts[counted_as] += 1
