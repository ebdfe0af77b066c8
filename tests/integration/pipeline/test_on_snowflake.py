"""The same pipeline with Snowflake as its warehouse, by its protocol: the real connector and dbt-snowflake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.fake_clock import FakeClock
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, recent_hours
from tests.integration.pipeline.processes import job_environment
from tests.tools.engine_parity import compare
from tests.tools.faulty_proxy import Fault, Lose, Refuse, proxied
from tests.tools.openlineage_schema import require_valid
from tests.tools.snowflake_server import DATABASE, SnowflakeServer, snowflake_server
from tests.tools.troubles import Restated, Trouble, WithBadLines

from pageviews_core.hour import Hour
from pageviews_core.warehouse.snowflake import SnowflakeWarehouse
from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

SETTINGS = {
    "PAGEVIEWS_MAX_HOURS_PER_RUN": "50",
    "PAGEVIEWS_MAX_BATCH_HOURS": "50",
    "PAGEVIEWS_MAX_REJECTED_SHARE": "0.05",
    "PAGEVIEWS_RECHECK_AFTER": "0.01s",
}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    with snowflake_server(tmp_path_factory.mktemp("snowflake")) as server:
        yield server


@pytest.fixture(scope="module")
def snowflake_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project parsed for Snowflake, once for all: a manifest has the engine's types and names in it."""
    folder = tmp_path_factory.mktemp("snowflake-manifest")
    settings = SnowflakeServer(1, folder).environment
    environment = job_environment({"LOCAL_DATA_DIR": str(folder), **settings})
    subprocess.run([sys.executable, "-m", "transformer", "prepare", str(folder)], env=environment, check=True)
    return folder / "partial_parse.msgpack"


@pytest.fixture
def on_snowflake(open_pipeline: OpenPipeline, server: SnowflakeServer, snowflake_manifest: Path) -> OpenPipeline:
    def opened(hours: int | list[Hour], trouble: dict[Hour, Trouble] | None = None, **settings: str) -> Pipeline:
        given = {"PAGEVIEWS_DBT_MANIFEST": str(snowflake_manifest), **SETTINGS, **server.environment, **settings}
        return open_pipeline(hours, trouble, **given)

    return opened


@pytest.fixture
def warehouse(server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> SnowflakeWarehouse:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    settings = SnowflakeSettings()
    return SnowflakeWarehouse(settings, FakeClock(), schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS")


def test_both_engines_hold_the_same_rows_in_every_table(
    open_pipeline: OpenPipeline,
    on_snowflake: OpenPipeline,
    warehouse: SnowflakeWarehouse,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A day and a half, with bad lines, an hour restated between two rounds, and a late hour in the second."""
    hours, restated = recent_hours(34), Restated()
    trouble = {hours[3]: WithBadLines(), hours[20]: restated}
    pipelines: list[Pipeline] = []
    for opened in (partial(open_pipeline, **SETTINGS), on_snowflake):
        restated.__init__()  # type: ignore[misc]  # as published first
        pipeline = opened(hours, trouble)
        pipeline.folder = pipeline.folder.with_name(f"{pipeline.folder.name}-{len(pipelines)}")
        pipeline.__post_init__()
        for end in (hours[-4], hours[-1]):
            for job in (pipeline.ingest, pipeline.transform):
                ended = job(PAGEVIEWS_END=str(end), OPENLINEAGE_URL=(pipeline.folder / "lineage.jsonl").as_uri())
                assert ended.code == 0, ended.output
            restated.restate()
        pipelines.append(pipeline)
    embedded = pipelines[0]
    assert embedded.generations("transformed")[hours[20]] == 2
    assert pipelines[1].generations("transformed") == embedded.generations("transformed")
    compared = compare(embedded.query, warehouse, f"{DATABASE}.WIKIPEDIA")
    with capsys.disabled():
        print("\nRows that are the same on DuckDB and by Snowflake's protocol:")
        print("\n".join(f"  {each.table:30s} {each.rows:>8,}" for each in compared if each.same))
    assert [each for each in compared if not each.same] == []
    told = [rows_told(pipeline.folder / "lineage.jsonl") for pipeline in pipelines]
    assert told[0] == told[1]
    assert {table for table, rows in told[0] if rows} >= {
        "raw_wikipedia_pageviews", "fct_wikipedia_pageviews", "page_views_daily", "top_pages_daily", "int_project_days",
    }  # fmt: skip
    rows = {each.table: each.rows for each in compared}
    assert rows["fct_wikipedia_pageviews"] > 30_000
    assert all(rows[table] for table in ("page_views_daily", "trending_pages_hourly", "top_pages_daily"))


def rows_told(file: Path) -> list[tuple[str, int]]:
    """The tables that lineage says were written, with their rows where they are built by hours or days."""
    found = []
    for line in file.read_text().splitlines():
        event = json.loads(line)
        require_valid(event)
        assert event["eventType"] in ("START", "COMPLETE")
        for output in event["outputs"]:
            for facet in output.get("outputFacets", {}).values():
                table = output["name"].rsplit(".", 1)[-1].lower()
                by_time = ("raw_", "stg_wikipedia_p", "fct_", "traffic_", "dim_hour", "int_")
                if table.startswith(by_time) or table.endswith(("_hourly", "_daily")):
                    found.append((table, facet["rowCount"]))
    return sorted(found)


def test_an_idle_tick_sends_no_statement_and_signs_in_nowhere(
    on_snowflake: OpenPipeline, server: SnowflakeServer
) -> None:
    pipeline = on_snowflake(1)
    for job in (pipeline.ingest, pipeline.transform):
        assert job().code == 0
    signed_in = len(server.sessions())
    server.forget()
    for job in (pipeline.ingest, pipeline.transform):
        assert job(PAGEVIEWS_RECHECK_AFTER="1h").event("tick_finished")["outcome"] == "idle"
    assert server.statements() == []
    assert len(server.sessions()) == signed_in


def test_the_statements_of_an_hour_are_counted(
    on_snowflake: OpenPipeline, server: SnowflakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = on_snowflake(2)
    first, second = pipeline.server.hours
    for end in (first, second):
        server.forget()
        assert pipeline.ingest(PAGEVIEWS_END=str(end)).code == 0
        load = len(server.statements())
        server.forget()
        assert pipeline.transform(PAGEVIEWS_END=str(end)).code == 0
        build = len(server.statements())
    with capsys.disabled():
        print(f"\nStatements for an hour on Snowflake: {load} to load it, {build} to build and publish it")
    assert load == 13
    assert build <= 350
    assert pipeline.generations("transformed") == {first: 1, second: 1}
    cost = pipeline.ingested(second).cost
    assert cost
    assert cost.statements == 12  # the connector itself sends PUT twice
    assert cost.credits > 0
    built = pipeline.transformed(second).cost
    assert built
    assert built.credits == pytest.approx(built.seconds / 3600, rel=0.01), "an XS warehouse is a credit an hour"
    tags = [session["QUERY_TAG"] for session in server.sessions() if session.get("QUERY_TAG")]
    assert any(str(second) in tag and '"load"' in tag for tag in tags)
    assert any('"dbt"' in tag for tag in tags)


@pytest.mark.parametrize(
    "point",
    [
        "before create landing/pageviews/<hour>/<ulid>/pageviews.parquet",
        "before create markers/ingested/<hour>/1.json",
        "after create markers/ingested/<hour>/1.json",
    ],
)
def test_a_kill_leaves_an_hour_that_is_loaded_once(
    on_snowflake: OpenPipeline, server: SnowflakeServer, warehouse: SnowflakeWarehouse, point: str
) -> None:
    pipeline = on_snowflake(1)
    (hour,) = pipeline.server.hours
    assert pipeline.ingest(fault=pipeline.fault(point)).code == -9
    committed = bool([sql for sql in server.statements() if sql == "commit"])
    assert committed == ("markers" in point), "the marker comes after the commit"
    assert pipeline.ingest().code == 0
    row, marker = warehouse.ledger([hour])[hour], pipeline.ingested(hour)
    assert (row.generation, row.rows, row.views) == (1, marker.rows.loaded, marker.views)
    assert warehouse.hours_without_raw_rows([hour]) == set()
    ((entries,),) = warehouse.fetch(f"select count(*) from {DATABASE}.WIKIPEDIA.PAGEVIEWS_LEDGER")[1]
    assert entries == 1


def test_no_secret_is_in_anything_that_was_written(on_snowflake: OpenPipeline, server: SnowflakeServer) -> None:
    pipeline = on_snowflake(1)
    secret = server.environment["SNOWFLAKE_PASSWORD"]
    pipeline.settings["OPENLINEAGE_URL"] = (pipeline.folder / "lineage.jsonl").as_uri()
    for verb in ("check", "run"):
        for job in (pipeline.ingest, pipeline.transform):
            assert job(verb).code == 0
    for job in (pipeline.ingest, pipeline.transform):  # and where it fails
        assert job("run", SNOWFLAKE_PORT="9", PAGEVIEWS_START=str(pipeline.server.hours[0] + -1)).code in (0, 75)
    files = [file for file in pipeline.folder.rglob("*") if file.is_file()]
    assert len(files) > 50
    held = [file for file in files if secret.encode() in file.read_bytes()]
    assert held == []


def test_a_server_that_is_not_there_is_tried_again_later(on_snowflake: OpenPipeline, server: SnowflakeServer) -> None:
    pipeline = on_snowflake(1)
    ended = pipeline.ingest(SNOWFLAKE_PORT="9", PAGEVIEWS_RUN_BUDGET="1s")
    assert ended.code == 75
    assert "cannot be reached" in ended.output
    assert pipeline.ingest().code == 0


@pytest.mark.parametrize("missing", ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_PASSWORD", "SNOWFLAKE_ROLE"])
def test_a_setting_that_is_missing_is_named(on_snowflake: OpenPipeline, server: SnowflakeServer, missing: str) -> None:
    pipeline: Pipeline = on_snowflake(1, **{missing: ""})
    for job in (pipeline.ingest, pipeline.transform):
        ended = job("check")
        assert ended.code == 78
        assert missing in ended.output
        assert server.environment["SNOWFLAKE_PASSWORD"] not in ended.output


def test_check_names_the_grants_that_are_missing_with_their_statements(
    on_snowflake: OpenPipeline, server: SnowflakeServer
) -> None:
    pipeline = on_snowflake(1)
    for job in (pipeline.ingest, pipeline.transform):
        assert job("check", "--create").code == 0
    server.set_grants([("USAGE", "WAREHOUSE", "PAGEVIEWS_WH"), ("USAGE", "DATABASE", DATABASE)])
    ended = pipeline.transform("check")
    assert ended.code == 78
    told = "".join(ended.output.split())
    for statement in (
        f"grant insert on table {DATABASE}.WIKIPEDIA.PAGEVIEWS_LEDGER to role PAGEVIEWS_LOADER;",
        f"grant create view on schema {DATABASE}.WIKIPEDIA to role PAGEVIEWS_LOADER;",
        f"grant write on stage {DATABASE}.WIKIPEDIA.WIKIPEDIA_PAGEVIEWS_STAGE to role PAGEVIEWS_LOADER;",
    ):
        assert "".join(statement.split()) in told
    assert "grantusageonwarehouse" not in told


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        (Refuse(503, "ServiceUnavailable"), "copy into"),
        (Refuse(500, "InternalError"), "begin"),
        (Lose(), "select max(schema_version)"),
        (Refuse(503, "ServiceUnavailable"), "commit"),
        (Lose(), "commit"),
    ],
    ids=["busy at COPY", "an error at BEGIN", "an answer lost", "busy at COMMIT", "COMMIT's answer lost"],
)
def test_a_network_with_faults_ends_in_an_hour_that_is_loaded_once(
    on_snowflake: OpenPipeline,
    server: SnowflakeServer,
    warehouse: SnowflakeWarehouse,
    fault: Fault,
    statement: str,
) -> None:
    with proxied(f"http://127.0.0.1:{server.port}") as proxy:
        left = [2]

        def rule(method: str, path: str) -> Fault | None:
            if not left[0] or f'"sqlText": "{statement}' not in proxy.body.decode("utf-8", "replace").replace(
                '":"', '": "'
            ):
                return None
            left[0] -= 1
            return fault

        proxy.rule = rule
        pipeline = on_snowflake(1, SNOWFLAKE_PORT=proxy.url.rpartition(":")[2])
        assert pipeline.ingest().code == 0
        assert left == [0], "the fault did not strike"
        (hour,) = pipeline.server.hours
        marker = pipeline.ingested(hour)
    row = warehouse.ledger([hour])[hour]
    assert (row.generation, row.rows, row.views) == (1, marker.rows.loaded, marker.views)
    assert warehouse.hours_without_raw_rows([hour]) == set()
    ((entries,),) = warehouse.fetch(f"select count(*) from {DATABASE}.WIKIPEDIA.PAGEVIEWS_LEDGER")[1]
    assert entries == 1
