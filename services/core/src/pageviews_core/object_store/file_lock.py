"""An exclusive lock between processes of one machine, with a bound on the wait."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, *, patience_seconds: float) -> Iterator[None]:
    """Holds `flock` on `path`, which is created and then stays. Excludes other threads too; not reentrant.

    Raises TimeoutError after `patience_seconds`: a stopped process keeps its locks.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        _wait_for(descriptor, path, patience_seconds)
        try:
            yield
        finally:
            # Closing is not enough: a child forked meanwhile holds the same lock until its exec.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, patience_seconds: float) -> None:
    deadline, pause = time.monotonic() + patience_seconds, 0.0005
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} is locked by another process for {patience_seconds:g} s") from None
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
