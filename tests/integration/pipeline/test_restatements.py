"""The source publishes an hour again: the next generation everywhere, or nothing where it is the same file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import STAGES, derived, recent_hours, whole
from tests.integration.pipeline.processes import wait_until
from tests.tools.troubles import Restated

from pageviews_core import keys
from pageviews_core.records.control import Rechecks

ASK_SOON = {"PAGEVIEWS_RECHECK_AFTER": "0.01s"}


def test_a_restated_hour_is_generation_two_at_every_stage(open_pipeline: OpenPipeline) -> None:
    first, second = recent_hours(2)
    restated = Restated()
    pipeline = open_pipeline([first, second], {first: restated}, **ASK_SOON)
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    restated.restate()
    again = pipeline.ingest()
    assert again.code == 0, again.output
    assert pipeline.generations("ingested") == {first: 2, second: 1}
    assert [outcome.hour for outcome in pipeline.runs("ingestor")[-1].hours] == [first]
    assert pipeline.transform().code == 0
    assert pipeline.generations("transformed") == {first: 2, second: 1}
    wanted = {first: [derived(first, generation=2)], second: [derived(second)]}
    assert {table: pipeline.counts(table) for table in STAGES} == dict.fromkeys(STAGES, wanted)
    assert pipeline.ledger()[first] == [derived(first), derived(first, generation=2)]
    marker = pipeline.transformed(first)
    assert (marker.generation, marker.rows, marker.views) == derived(first, generation=2)
    assert marker.sha256 == pipeline.ingested(first).source.sha256
    # The first file is kept beside the second, and both landings.
    assert len(pipeline.keys(f"raw/pageviews/{first.path}/")) == 2
    assert len(pipeline.keys(f"landing/pageviews/{first.path}/")) == 2
    assert len(pipeline.keys(keys.DBT_DOCS)) == 1  # the project is the same in both runs
    tables = pipeline.tables()
    assert pipeline.ingest().code == pipeline.transform().code == 0
    assert pipeline.tables() == tables


def test_the_same_file_asked_for_again_changes_nothing(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1)
    (hour,) = pipeline.server.hours
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    markers, tables = pipeline.objects(without=("runs/", "changes/", "leases/", "control/")), pipeline.tables()
    assert pipeline.ingest("hour", str(hour), "--force").code == 0
    assert [outcome.detail for outcome in pipeline.runs("ingestor")[-1].hours] == ["unchanged"]
    assert pipeline.generations("ingested") == {hour: 1}
    kept = pipeline.objects(without=("runs/", "changes/", "leases/", "control/", "landing/"))
    assert kept == {key: body for key, body in markers.items() if not key.startswith("landing/")}
    tables_now = pipeline.tables()
    # The fence of the hour, which rises with each process that claims it, is all that is new.
    fences = [name for name in tables if tables[name] != tables_now[name]]
    assert fences == ["pageviews_fence"]


def test_a_restatement_found_by_a_question_that_changes_nothing_is_unchanged(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(1, **ASK_SOON)
    assert pipeline.ingest().code == 0
    plan = pipeline.journal.read(keys.RECHECKS, Rechecks)
    assert plan is not None
    before = len(pipeline.runs("ingestor"))
    wait_until(
        lambda: datetime.now(UTC) - plan[0].hours[str(pipeline.server.hours[0])].next_at > timedelta(0), "its time"
    )
    assert pipeline.ingest().code == 0
    assert len(pipeline.runs("ingestor")) == before
    assert pipeline.ledger() == whole(pipeline.server.hours)
