"""Traces of whole runs, as a collector gets them by OTLP."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, recent_hours, whole
from tests.tools.collector import collector, of_no_use
from tests.tools.troubles import WrongCrc

from pageviews_core.hour import Hour

STEPS = {"download", "store_raw", "decode", "control_totals", "land", "load", "mark"}


@pytest.fixture(scope="module")
def hours() -> list[Hour]:
    return recent_hours(2)


def attribute(span: Span, name: str) -> str | int | None:
    for each in span.attributes:
        if each.key == name:
            return each.value.string_value or int(each.value.int_value)
    return None


def of_hour(spans: list[Span], name: str, hour: Hour) -> Span:
    [found] = [span for span in spans if span.name == name and attribute(span, "pageviews.hour") == str(hour)]
    return found


def below(spans: list[Span], parent: Span) -> dict[str, Span]:
    return {span.name: span for span in spans if span.parent_span_id == parent.span_id}


def context(span: Span) -> str:
    """As a marker has it, but for the flags."""
    return f"00-{span.trace_id.hex()}-{span.span_id.hex()}"


def traced(pipeline: Pipeline) -> tuple[list[Span], list[dict[str, Any]]]:
    """The spans of both jobs, and what was logged."""
    with collector() as server:
        pipeline.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = server.url
        ended = [pipeline.ingest(), pipeline.transform()]
        assert [each.code for each in ended] == [0] * len(ended), [each.output for each in ended]
        services = {service for service, _ in server.spans()}
        assert services == {"pageviews-ingestor", "pageviews-transformer"}
        return [span for _, span in server.spans()], [event for each in ended for event in each.events]


def test_one_trace_leads_from_the_download_to_the_models(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    hour = hours[-1]
    pipeline = open_pipeline([hour])
    spans, events = traced(pipeline)
    ingest, transform = of_hour(spans, "ingest", hour), of_hour(spans, "transform", hour)
    assert not ingest.parent_span_id
    assert set(below(spans, ingest)) == {*STEPS, "transform"}
    assert pipeline.ingested(hour).traceparent.startswith(context(ingest))
    assert pipeline.transformed(hour).traceparent.startswith(context(transform))
    dbt = below(spans, transform)["dbt"]
    models = below(spans, dbt)
    assert {"stg_wikipedia_pageviews", "fct_wikipedia_pageviews", "facts_equal_ledger"} <= set(models)
    for span in models.values():
        assert (
            dbt.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= dbt.end_time_unix_nano
        )
    assert {span.trace_id for span in (ingest, transform, dbt, *models.values())} == {ingest.trace_id}
    assert len({span.span_id for span in spans}) == len(spans)
    steps = [event for event in events if event.get("step") == "load"]
    assert {event["trace_id"] for event in steps} == {ingest.trace_id.hex()}
    runs = {record.job: record.id for record in pipeline.runs()}
    by_run = {attribute(span, "pageviews.run_id"): span for span in spans if span.name in runs}
    assert set(by_run) == set(runs.values())
    assert [link.span_id for link in ingest.links] == [by_run[runs["ingestor"]].span_id]
    assert [link.span_id for link in transform.links] == [by_run[runs["transformer"]].span_id]


def test_a_batch_of_hours_is_linked_with_each_of_them(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours)
    spans, _ = traced(pipeline)
    [batch] = [span for span in spans if span.name == "transform_batch"]
    each = [of_hour(spans, "transform", hour) for hour in hours]
    assert {link.span_id for link in batch.links} == {span.span_id for span in each}
    assert len({span.trace_id for span in (batch, *each)}) == 3
    assert "fct_wikipedia_pageviews" in below(spans, below(spans, batch)["dbt"])
    for hour, span in zip(hours, each, strict=True):
        assert span.trace_id == of_hour(spans, "ingest", hour).trace_id
        assert pipeline.transformed(hour).traceparent.startswith(context(span))


def test_an_hour_that_fails_says_so_in_its_trace(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours, {hours[0]: WrongCrc()})
    with collector() as server:
        assert pipeline.ingest(OTEL_EXPORTER_OTLP_ENDPOINT=server.url).code == 0
        spans = [span for _, span in server.spans()]
    failed, fine = (of_hour(spans, "ingest", hour) for hour in hours)
    assert (failed.status.code, fine.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET)
    assert "is damaged" in failed.status.message
    assert below(spans, failed)["decode"].status.code == Status.STATUS_CODE_ERROR


def test_without_a_collector_markers_carry_a_context_all_the_same(
    open_pipeline: OpenPipeline, hours: list[Hour]
) -> None:
    pipeline = open_pipeline(hours)
    assert pipeline.ingest().code == pipeline.transform().code == 0
    contexts = [pipeline.ingested(hour).traceparent for hour in hours]
    assert len(set(contexts)) == 2
    assert contexts == [pipeline.transformed(hour).traceparent for hour in hours]


@pytest.mark.parametrize("how", ["hangs", "refuses", "gone"])
def test_a_collector_that_is_no_use_costs_no_hour(open_pipeline: OpenPipeline, hours: list[Hour], how: str) -> None:
    pipeline = open_pipeline(hours[-1:])
    with of_no_use(how) as url:
        ended = pipeline.ingest(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert ended.code == 0, ended.output
    assert pipeline.ledger() == whole(hours[-1:])
    told = ended.event("spans_dropped")
    assert (told["dropped"], told["sent"]) == (len(STEPS) + 2, 0)
    assert url not in ended.output
