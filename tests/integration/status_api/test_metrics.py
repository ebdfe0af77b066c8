"""The metrics, as Prometheus's own tool reads them."""

from __future__ import annotations

import subprocess

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import no_scheduler
from tests.tools.system_tools import promtool
from tests.unit.status_api.memory_index import MemoryIndex
from tests.unit.status_api.pipeline_state import fill

from status_api.index.index import StoreHealth
from status_api.metrics import Metrics
from status_api.settings import StatusSettings
from status_api.view import View


def _check(body: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([promtool(), "check", "metrics"], input=body, capture_output=True, check=False)


@pytest.mark.parametrize("state", ["full", "empty", "store down"])
def test_promtool_has_nothing_to_say(state: str) -> None:
    index = MemoryIndex()
    if state == "full":
        fill(index)
    if state == "store down":
        index.store = StoreHealth(up=False, error="gone", seen_at=None)
    body, _ = Metrics(View(index, InMemoryObjectStore(), FakeClock(), StatusSettings(), no_scheduler())).exposition("")
    assert b"pageviews_store_up" in body
    checked = _check(body)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_would_say_something() -> None:
    assert _check(b"# TYPE pageviews_hours gauge\npageviews_hours 1\n").returncode != 0
