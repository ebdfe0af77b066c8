"""Opening the embedded warehouse's file: one process at a time, so for one operation and no longer."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import structlog

from pageviews_core.clock import Clock
from pageviews_core.errors import ConfigurationError, PageviewsError, WarehouseUnavailable

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class DuckDBFile:
    """`wait` bounds how long `connect` waits for another process to close the file; `memory_limit` is in bytes."""

    path: Path
    memory_limit: int
    threads: int
    temp_folder: Path
    wait: timedelta
    clock: Clock

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that holds the file until the block ends; errors come out as the pipeline's own."""
        connection = self._open(read_only)
        try:
            yield connection
        except duckdb.Error as exc:
            raise self.translated(exc) from exc
        finally:
            connection.close()

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = self.clock.monotonic() + self.wait.total_seconds()
        said = False
        while True:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.temp_folder.mkdir(parents=True, exist_ok=True)
                return duckdb.connect(self.path, read_only=read_only, config=self._config())
            except OSError as exc:
                raise ConfigurationError(f"cannot create {exc.filename}: {exc.strerror}") from exc
            except duckdb.Error as exc:
                if not _is_lock_conflict(exc):
                    raise self.translated(exc) from exc
                if self.clock.monotonic() >= deadline:
                    raise WarehouseUnavailable(
                        f"{self.path} is held by another process, still after {self.wait}: {_holder(exc)}. "
                        "Close it there (a DuckDB shell, a notebook), or wait longer with PAGEVIEWS_WAREHOUSE_WAIT."
                    ) from exc
                if not said:
                    structlog.get_logger().info("warehouse_waiting", path=str(self.path), holder=_holder(exc))
                    said = True
                self.clock.sleep(_POLL_SECONDS)

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "memory_limit": f"{self.memory_limit}B",
            "threads": self.threads,
            "temp_directory": str(self.temp_folder),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }

    def translated(self, exc: duckdb.Error) -> PageviewsError:
        """The pipeline's error for one of DuckDB's."""
        text = " ".join(str(exc).split())
        if "No space left" in text or "OutOfMemoryException" in type(exc).__name__ or _errno_named(text, errno.ENOSPC):
            return WarehouseUnavailable(
                f"{self.path}: out of room: {text}. Free some disk, or raise PAGEVIEWS_MEMORY_LIMIT"
            )
        if "version number" in text or "newer version" in text or "storage version" in text.lower():
            return ConfigurationError(f"{self.path} was written by another version of DuckDB: {text}")
        if "database does not exist" in text:
            return ConfigurationError(
                f"{self.path} does not exist yet: the ingestor's first load creates it. If it is elsewhere, set "
                "PAGEVIEWS_DUCKDB_PATH."
            )
        if "Permission denied" in text or "read-only" in text.lower():
            return ConfigurationError(f"{self.path} cannot be written by this user: {text}")
        if "Corrupt database file" in text:
            return ConfigurationError(
                f"{self.path} is damaged: {text} Put a backup back, or move it away: the hours can be loaded again."
            )
        if "not a valid DuckDB database file" in text or "Is a directory" in text:
            return ConfigurationError(f"{self.path} is not a DuckDB file; set PAGEVIEWS_DUCKDB_PATH: {text}")
        if isinstance(exc, duckdb.IOException):
            return WarehouseUnavailable(f"{self.path}: {text}")
        return PageviewsError(f"{self.path}: {text}")


def _errno_named(text: str, number: int) -> bool:
    return f"errno {number}" in text or f"error code {number}" in text


def _is_lock_conflict(exc: duckdb.Error) -> bool:
    return "Could not set lock" in str(exc)


def _holder(exc: duckdb.Error) -> str:
    """DuckDB's own words on who holds the file (program and PID)."""
    _, found, rest = str(exc).partition("Conflicting lock is held ")
    return " ".join(rest.split())[:200].removeprefix("in ") if found else "another process"
