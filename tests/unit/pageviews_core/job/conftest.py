from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from pageviews_core.logging import configure_logging


@pytest.fixture(autouse=True)
def json_logs() -> Iterator[None]:
    """As a service has them, so that events reach the run's log."""
    configure_logging("json", "info", service="test")
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
