from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pageviews_core.decoding.scratch import writing
from pageviews_core.errors import ConfigurationError, PageviewsError, StoreUnavailable


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StoreUnavailable),
        (errno.EDQUOT, StoreUnavailable),
        (errno.EACCES, ConfigurationError),
        (errno.EROFS, ConfigurationError),
    ],
)
def test_a_full_disk_is_temporary_and_a_forbidden_folder_is_not(number: int, expected: type[PageviewsError]) -> None:
    with pytest.raises(expected, match="PAGEVIEWS_SCRATCH_DIR"), writing(Path("scratch/file")):
        raise OSError(number, "as the system says it")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(OSError, match="broken"), writing(Path("scratch/file")):
        raise OSError(errno.EIO, "broken")
