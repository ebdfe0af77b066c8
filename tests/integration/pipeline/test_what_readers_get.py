"""Assets, lineage and published results of a real build, as the status service reads them."""

from __future__ import annotations

import shlex
from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline
from tests.samples import no_scheduler
from tests.unit.status_api.memory_index import MemoryIndex

from pageviews_core import keys
from pageviews_core.clock import SystemClock
from pageviews_core.hour import Hour
from pageviews_core.records.published import PublishedIndex
from status_api.queries import insights
from status_api.queries.assets import list_assets, read_asset, read_lineage
from status_api.settings import StatusSettings
from status_api.view import View


@pytest.fixture
def built(open_pipeline: OpenPipeline) -> Pipeline:
    pipeline = open_pipeline(2)
    assert (pipeline.ingest().code, pipeline.transform().code) == (0, 0)
    return pipeline


@pytest.fixture
def view(built: Pipeline) -> View:
    index = MemoryIndex()
    for run in built.runs("transformer"):
        index.add(
            "runs", id=run.id, job=run.job, trigger=run.trigger, state=run.state, started_at=run.started_at.isoformat(),
            hour_count=len(run.hours), failed_hours=0, rows=run.rows, bytes=0, peak_memory=run.peak_memory_bytes,
            steps="{}", host=run.host, version=run.version,
        )  # fmt: skip
    published = built.journal.read(keys.PUBLISHED_INDEX, PublishedIndex)
    assert published is not None
    index.add("meta", name="published_generated_at", value=published[0].generated_at.isoformat())
    index.add("meta", name="published_newest_hour", value=str(published[0].newest_hour))
    for item in published[0].objects:
        index.add("published", **item.model_dump())
    return View(index, built.store, SystemClock(), StatusSettings(), no_scheduler())


def test_what_readers_get_of_a_real_build(built: Pipeline, view: View) -> None:
    _assets_are_fresh_with_their_tests_and_columns(view)
    _every_edge_of_the_lineage_goes_right(view)
    _results_are_read_and_an_article_agrees_with_the_warehouse(built, view)


def _assets_are_fresh_with_their_tests_and_columns(view: View) -> None:
    assets = {asset.name: asset for asset in list_assets(view)}
    kinds = Counter(asset.kind for asset in assets.values())
    assert kinds.pop("model") >= 20
    assert kinds == {"source_object": 1, "source": 3, "seed": 5, "published": 5}
    for asset in assets.values():
        assert asset.description
        if asset.kind in ("model", "seed", "published"):
            assert asset.state == "fresh", asset
    assert assets["top_pages_daily"].expected_every_seconds == 30 * 3600
    assert assets["wikimedia_main_pages"].rows
    detail = read_asset(view, "stg_wikipedia_domains")
    assert {"unique", "accepted_values"} <= {test for column in detail.columns for test in column.tests}
    assert {test.status for test in detail.tests} == {"pass"}
    assert all(column.type for column in detail.columns)
    [(at, status, seconds)] = detail.history
    assert (status, seconds > 0, at <= datetime.now(UTC)) == ("success", True, True)
    assert detail.sql is not None
    assert "{{" not in detail.sql
    facts = {test.name for test in read_asset(view, "fct_wikipedia_pageviews").tests}
    assert "facts_equal_ledger" in facts


def _every_edge_of_the_lineage_goes_right(view: View) -> None:
    lineage = read_lineage(view)
    layer = {node.name: node.layer for node in lineage.nodes}
    assert layer.keys() == {asset.name for asset in list_assets(view)}
    assert all(layer[before] < layer[after] for before, after in lineage.edges)
    assert len({(node.layer, node.row) for node in lineage.nodes}) == len(lineage.nodes)
    joined = {name for edge in lineage.edges for name in edge}
    assert joined == layer.keys()


def _results_are_read_and_an_article_agrees_with_the_warehouse(built: Pipeline, view: View) -> None:
    newest = built.server.hours[-1]
    assert insights.read_published(view).newest_hour == newest
    pulse, top = insights.read_pulse(view), insights.read_top(view)
    assert pulse is not None
    assert pulse.hour == newest
    assert insights.read_trending(view) is not None
    assert insights.read_traffic(view) is not None
    assert top is not None
    assert top.hour is not None
    project = next(each for each in top.hour.projects if each.pages)
    article = insights.read_article(view, project.project, project.pages[0].title.replace("_", " "))
    assert article.series is not None
    assert article.first_hour is not None
    assert article.series.hours[-1] == project.pages[0].views
    asked = built.query(shlex.split(article.command)[-1])
    published = {
        article.first_hour + number: views for number, views in enumerate(article.series.hours) if views is not None
    }
    assert {Hour(at.replace(tzinfo=UTC)): views for at, views in asked} == published
