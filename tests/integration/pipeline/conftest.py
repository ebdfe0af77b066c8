from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.integration.pipeline.pipeline import SCALE, Pipeline, recent_hours
from tests.integration.pipeline.processes import job_environment
from tests.tools.dumps_server import DumpsServer
from tests.tools.published_hours import DerivedHours, HourSource
from tests.tools.troubles import Trouble

from pageviews_core.hour import Hour

OpenPipeline = Callable[..., Pipeline]

_SOURCE = DerivedHours(SCALE)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project, parsed once for all."""
    folder = tmp_path_factory.mktemp("manifest")
    environment = job_environment({"LOCAL_DATA_DIR": str(folder)})
    subprocess.run([sys.executable, "-m", "transformer", "prepare", str(folder)], env=environment, check=True)
    return folder / "partial_parse.msgpack"


@pytest.fixture
def open_pipeline(tmp_path: Path, manifest: Path) -> Iterator[OpenPipeline]:
    """`open_pipeline(hours, {hour: trouble}, PAGEVIEWS_X="…")`: hours are a number of recent ones, or given."""
    with ExitStack() as stack:

        def opened(
            hours: int | list[Hour],
            trouble: dict[Hour, Trouble] | None = None,
            *,
            source: HourSource = _SOURCE,
            **settings: str,
        ) -> Pipeline:
            served = recent_hours(hours) if isinstance(hours, int) else hours
            server = stack.enter_context(DumpsServer(served, trouble, source=source))
            return Pipeline(tmp_path / "pipeline", server, manifest, settings)

        yield opened
