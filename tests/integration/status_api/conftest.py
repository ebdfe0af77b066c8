from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.pipeline.pipeline import SCALE, Pipeline, recent_hours
from tests.integration.pipeline.processes import job_environment
from tests.integration.status_api.site import CODE, Site
from tests.tools.dumps_server import DumpsServer
from tests.tools.published_hours import DerivedHours
from tests.tools.status_process import StatusProcess
from tests.tools.troubles import HtmlPage


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service over what both jobs made of five hours, of which one is no pageviews file."""
    folder = tmp_path_factory.mktemp("site")
    environment = job_environment({"LOCAL_DATA_DIR": str(folder / "prepared")})
    subprocess.run(
        [sys.executable, "-m", "transformer", "prepare", str(folder / "prepared")], env=environment, check=True
    )
    hours = recent_hours(5)
    failed, complete = hours[2], hours[3]
    with DumpsServer(hours, {failed: HtmlPage()}, source=DerivedHours(SCALE)) as server:
        pipeline = Pipeline(folder, server, Path(folder / "prepared" / "partial_parse.msgpack"))
        for ended in (pipeline.ingest(PAGEVIEWS_RETRY_AFTER="1h"), pipeline.transform()):
            assert ended.code == 0, ended.output
        run = next(run.id for run in pipeline.runs("ingestor") if any(h.outcome == "failed" for h in run.hours))
        settings = {
            "PAGEVIEWS_ONE_TIME_SIGN_IN": CODE,
            "PAGEVIEWS_START": str(hours[0]),
            "PAGEVIEWS_END": str(hours[-1]),
        }
        with StatusProcess(folder, settings) as service:
            service.wait_until_ready()
            yield Site(service, folder, failed, complete, run)
