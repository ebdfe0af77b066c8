"""The same pipeline with Snowflake as its warehouse, by its protocol: the real connector and dbt-snowflake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import recent_hours
from tests.tools.snowflake_server import SnowflakeServer, snowflake_server


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    with snowflake_server(tmp_path_factory.mktemp("snowflake")) as server:
        yield server


def test_hours_are_loaded_and_built(open_pipeline: OpenPipeline, server: SnowflakeServer) -> None:
    pipeline = open_pipeline(recent_hours(2), PAGEVIEWS_MAX_HOURS_PER_RUN="5", **server.environment)
    pipeline.settings["PAGEVIEWS_DBT_MANIFEST"] = ""
    assert pipeline.ingest().code == 0
    ended = pipeline.transform()
    print(ended.output)
    for x in server.statements(): print(x[:300])
    print(server.log.with_name("server.log").read_text()[-3000:])
    assert 0
