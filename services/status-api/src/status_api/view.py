"""What every answer is computed from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pageviews_core.clock import Clock
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectStore
from status_api.extracts import Extracts
from status_api.index.index import Index
from status_api.scheduler.watching import SchedulerWatch
from status_api.settings import StatusSettings


@dataclass(frozen=True)
class View:
    index: Index
    store: ObjectStore
    clock: Clock
    settings: StatusSettings
    scheduler: SchedulerWatch
    notifications: Counter[str] = field(default_factory=Counter, compare=False)
    """Posts of this process to the webhook, by what became of them: `sent`, `failed` (to be tried again), `dropped`."""
    extracts: Extracts = field(default_factory=Extracts, compare=False, repr=False)

    @property
    def journal(self) -> Journal:
        return Journal(self.store)

    @property
    def version(self) -> tuple[int, int]:
        """Of the index and of what was seen of the scheduler: with it stands and falls what was computed from them."""
        return self.index.version, self.scheduler.version

    def wanted(self) -> None:
        """Somebody looks."""
        self.index.wanted()
        self.scheduler.wanted()

    def now(self) -> datetime:
        return self.clock.now()
