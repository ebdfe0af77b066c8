"""Work on an hour whose raw rows were retired: they come back from landing, or from the raw object, or not at all."""

from __future__ import annotations

from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import STAGES, Pipeline, whole

from pageviews_core.hour import Hour


def test_retired_rows_are_restored_for_as_long_as_an_object_has_them(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    (hour,) = hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0

    retire_rows(pipeline)
    build_again(pipeline, hour)
    assert_everywhere(pipeline, hours)

    retire_rows(pipeline)
    remove(pipeline, "landing/")
    assert '"hour_decoded_again"' in build_again(pipeline, hour)
    assert_everywhere(pipeline, hours)

    pipeline.database.unlink()  # a lost warehouse is like retired rows of every table
    build_again(pipeline, hour)
    assert_everywhere(pipeline, hours)

    retire_rows(pipeline)
    remove(pipeline, "raw/")
    facts = pipeline.query("select * from fct_wikipedia_pageviews order by all")
    gone = pipeline.transform("hour", str(hour), "--force")
    assert gone.code == 75, gone.output
    assert gone.event("failed")["error_type"] == "InputGone"
    assert f"pageviews-ingestor hour {hour} --force" in gone.event("failed")["error"]
    assert pipeline.query("select * from fct_wikipedia_pageviews order by all") == facts
    assert [failure.error_type for failure in pipeline.failures("transformed")] == ["InputGone"]

    assert pipeline.ingest("hour", str(hour), "--force").code == 0
    build_again(pipeline, hour)
    assert_everywhere(pipeline, hours)
    assert pipeline.failures("transformed") == []
    assert pipeline.generations("ingested") == pipeline.generations("transformed") == {hour: 1}


def retire_rows(pipeline: Pipeline) -> None:
    for table in ("raw_wikipedia_pageviews", "stg_wikipedia_pageviews"):
        pipeline.query(f"delete from {table}")


def remove(pipeline: Pipeline, prefix: str) -> None:
    for key in pipeline.keys(prefix):
        pipeline.store.delete(key)


def build_again(pipeline: Pipeline, hour: Hour) -> str:
    ended = pipeline.transform("hour", str(hour), "--force")
    assert ended.code == 0, ended.output
    return ended.output


def assert_everywhere(pipeline: Pipeline, hours: list[Hour]) -> None:
    assert {table: pipeline.counts(table) for table in STAGES} == dict.fromkeys(STAGES, whole(hours))


def test_an_hour_that_was_never_ingested_is_refused_by_name(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    (hour,) = pipeline.server.hours
    ended = pipeline.transform("hour", str(hour))
    assert ended.code == 75
    assert f"never ingested: {hour}" in ended.event("failed")["error"]
