"""Backfills, builds and cancellations that a person asks for, through both jobs."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, only, recent_hours, whole
from tests.tools.troubles import Missing, Restated

from pageviews_core import keys
from pageviews_core.records.control import Schedules


def test_a_forced_backfill_loads_and_builds_its_hours_again(open_pipeline: OpenPipeline) -> None:
    hour = recent_hours(1)[0]
    restated = Restated()
    pipeline = open_pipeline([hour], {hour: restated})
    do_all(pipeline)
    restated.restate()
    request = pipeline.ask("backfill", hour, force=True)
    do_all(pipeline)
    assert pipeline.counts() == whole([hour], generation=2)
    closed = pipeline.closed(request)
    assert closed is not None
    assert (closed.outcome, closed.failed_hours) == ("done", ())
    assert [run.request for run in pipeline.runs("ingestor")] == [None, request.id]
    assert pipeline.keys(keys.OPEN_REQUESTS) == []


def test_a_backfill_of_hours_before_the_start_is_done_and_closed(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(3)
    early, _, newest = pipeline.server.hours
    pipeline.settings.update(only(newest))
    do_all(pipeline)
    request = pipeline.ask("backfill", early)
    do_all(pipeline)
    assert pipeline.counts() == whole([early, newest])
    closed = pipeline.closed(request)
    assert closed is not None
    assert closed.outcome == "done"


def test_a_transform_request_builds_a_complete_hour_again(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    hours = pipeline.server.hours
    do_all(pipeline)
    pipeline.query("delete from fct_wikipedia_pageviews")
    request = pipeline.ask("transform", *hours)
    do_all(pipeline)
    assert pipeline.counts() == whole(hours)
    closed = pipeline.closed(request)
    assert closed is not None
    assert closed.outcome == "done"
    assert len(pipeline.runs("ingestor")) == 1


def test_a_cancelled_request_is_not_worked_on(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(2)
    early, newest = pipeline.server.hours
    pipeline.settings.update(only(newest))
    request = pipeline.ask("backfill", early)
    cancel = pipeline.ask("cancel", cancels=request.id)
    assert pipeline.ingest().code == 0
    assert pipeline.generations("ingested") == {newest: 1}
    outcomes = [closed.outcome for closed in map(pipeline.closed, (request, cancel)) if closed]
    assert outcomes == ["cancelled", "done"]


def test_a_request_for_an_hour_that_is_not_published_closes_as_failed(open_pipeline: OpenPipeline) -> None:
    early, newest = recent_hours(2)
    pipeline = open_pipeline([early, newest], {early: Missing()})
    pipeline.settings.update(only(newest))
    request = pipeline.ask("backfill", early)
    do_all(pipeline)
    closed = pipeline.closed(request)
    assert closed is not None
    assert (closed.outcome, closed.failed_hours) == ("failed", (early,))
    assert [(failure.hour, failure.kind) for failure in pipeline.failures()] == [(early, "unpublished")]
    assert pipeline.generations("ingested") == {newest: 1}


def test_a_suspended_schedule_works_on_requests_alone(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(2)
    early, newest = pipeline.server.hours
    pipeline.journal.put(keys.SCHEDULES, Schedules(suspended=("ingestor", "transformer")))
    idle = pipeline.ingest()
    assert (idle.code, idle.event("tick_finished")["outcome"]) == (0, "suspended")
    assert pipeline.generations("ingested") == {}
    began = datetime.now(UTC)
    request = pipeline.ask("backfill", early)
    do_all(pipeline)
    assert pipeline.generations("ingested") == pipeline.generations("transformed") == {early: 1}
    closed = pipeline.closed(request)
    assert closed is not None
    assert closed.outcome == "done"
    assert closed.closed_at >= began
    pipeline.journal.put(keys.SCHEDULES, Schedules())
    assert pipeline.ingest().code == 0
    assert pipeline.generations("ingested") == {early: 1, newest: 1}


def do_all(pipeline: Pipeline) -> None:
    """A tick of each job."""
    for tick in (pipeline.ingest, pipeline.transform):
        ended = tick()
        assert ended.code == 0, ended.output
