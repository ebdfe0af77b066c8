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
from tests.tools.troubles import HtmlPage, Restated


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service over what both jobs made of five hours, of which one is no pageviews file, and one was restated."""
    folder = tmp_path_factory.mktemp("site")
    environment = job_environment({"LOCAL_DATA_DIR": str(folder / "prepared")})
    subprocess.run(
        [sys.executable, "-m", "transformer", "prepare", str(folder / "prepared")], env=environment, check=True
    )
    hours = recent_hours(5)
    failed, complete = hours[2], hours[3]
    restated = Restated()
    troubles = {failed: HtmlPage(), hours[1]: restated}
    with DumpsServer(hours, troubles, source=DerivedHours(SCALE)) as server:
        pipeline = Pipeline(folder, server, Path(folder / "prepared" / "partial_parse.msgpack"))
        pipeline.settings |= {"PAGEVIEWS_RETRY_AFTER": "1h", "PAGEVIEWS_RECHECK_AFTER": "0.01s"}
        for job in (pipeline.ingest, pipeline.transform, pipeline.ingest, pipeline.transform):
            ended = job()
            assert ended.code == 0, ended.output
            restated.restate()
        run = next(run.id for run in pipeline.runs("ingestor") if any(h.outcome == "failed" for h in run.hours))
        settings = {
            "PAGEVIEWS_ONE_TIME_SIGN_IN": CODE,
            "PAGEVIEWS_START": str(hours[0]),
            "PAGEVIEWS_END": str(hours[-1]),
        }
        with StatusProcess(folder, settings) as service:
            service.wait_until_ready()
            yield Site(service, folder, failed, complete, run)
