"""An index that a test fills row by row."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from datetime import UTC, datetime
from pathlib import Path

import status_api.index
from status_api.index.index import Filling, StoreHealth

_SCHEMA = Path(status_api.index.__file__).with_name("schema.sql")


class MemoryIndex:
    """`add("hours", hour="2026-11-20T09", state="complete")`; columns not given are null, or what the schema says."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._db.close)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_SCHEMA.read_text())
        self._lock = threading.Lock()
        self.version = 1
        self.filling = Filling(complete=True, read=0, known=0)
        self.store = StoreHealth(up=True, error=None, seen_at=datetime(2026, 11, 20, 10, 20, tzinfo=UTC))
        self.looked = 0
        self.refreshed = 0

    def add(self, table: str, **values: object) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        with self._lock:
            self._db.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))
        self.version += 1

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def wanted(self) -> None:
        self.looked += 1

    def refresh(self) -> None:
        self.refreshed += 1
