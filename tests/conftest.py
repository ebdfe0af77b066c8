"""For all tests: no test inherits another one's logging, or this machine's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog

_SETTINGS = ("PAGEVIEWS_", "SNOWFLAKE_", "LOCAL_DATA_DIR", "MAX_DOWNLOAD_WORKERS")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(_SETTINGS)]:
        monkeypatch.delenv(name)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
