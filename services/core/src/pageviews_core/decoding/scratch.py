"""What may go wrong with the folder for temporary files, in words that help."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pageviews_core.errors import ConfigurationError, StoreUnavailable

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def no_room(folder: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"no room left in {folder} for temporary files (an hour takes about 500 MB there): free some, or set "
        "PAGEVIEWS_SCRATCH_DIR"
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises StoreUnavailable where the disk is full, ConfigurationError where `path` cannot be written."""
    try:
        yield
    except OSError as exc:
        if exc.errno in DISK_FULL:
            raise no_room(path.parent) from exc
        if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR):
            raise ConfigurationError(
                f"cannot write temporary files to {path.parent}: {exc.strerror}; set PAGEVIEWS_SCRATCH_DIR"
            ) from exc
        raise
