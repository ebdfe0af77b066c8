"""What the tests of the page work on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.tools.status_process import StatusProcess

from pageviews_core.hour import Hour

CODE = "one-time-code-of-the-tests-0123456789"


class Site(NamedTuple):
    service: StatusProcess
    folder: Path
    failed: Hour
    complete: Hour
    failed_run: str
