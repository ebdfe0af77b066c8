"""The index's SQLite file: one writer, any number of readers, gone when it is closed."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = Path(__file__).with_name("schema.sql")
_CACHE_KILOBYTES = 512
"""Of each connection: the pages of a query stay in the system's own cache, which is nobody's resident memory."""


class Database:
    """`rows` may be called from any thread; `writing` from one at a time."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pageviews-index-"))
        self._file = self._folder / "index.sqlite"
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._writer = self._open()
        self._writer.execute("pragma journal_mode = wal")
        self._writer.execute("pragma synchronous = off")  # what is lost with the machine is read again
        self._writer.executescript(_SCHEMA.read_text())
        self._writer.isolation_level = None

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """The answer of one `select`."""
        return self._reader().execute(sql, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is seen, or nothing."""
        self._writer.execute("begin")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("rollback")
            raise
        self._writer.execute("commit")

    def close(self) -> None:
        with self._opening:
            for connection in self._connections:
                connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._open()
            connection.execute("pragma query_only = on")
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute(f"pragma cache_size = -{_CACHE_KILOBYTES}")
        connection.execute("pragma temp_store = memory")
        with self._opening:
            self._connections.append(connection)
        return connection
