"""The index, as its readers see it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Filling:
    """How far the first reading of the store has come."""

    complete: bool
    read: int
    """Objects."""
    known: int
    """Objects listed so far; at least `read`."""


@dataclass(frozen=True, slots=True)
class StoreHealth:
    up: bool
    error: str | None
    """Without the store's address."""
    seen_at: datetime | None
    """The last time that all that was asked of the store was answered, UTC."""


class Index(Protocol):
    """Read from any thread; written by its own alone."""

    @property
    def version(self) -> int:
        """Grows with every change that a reader can see; with it stands and falls what was computed from the index."""
        ...

    @property
    def filling(self) -> Filling: ...

    @property
    def store(self) -> StoreHealth: ...

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """Runs one `select` over the tables of schema.sql; rows are read by name."""
        ...

    def wanted(self) -> None:
        """Somebody looks: for the next minute the changes feed is read every 3 seconds instead of every 30."""
        ...

    def refresh(self) -> None:
        """Reads the changes feed now, and waits for it: after a change of one's own. At most a few seconds."""
        ...
