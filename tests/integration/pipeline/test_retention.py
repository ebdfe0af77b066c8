"""Retention as the transformer's daily housekeeping does it: input goes, facts stay, and a retired hour can be built
again for as long as something is left to build it from."""

from __future__ import annotations

from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import whole

from pageviews_core.clock import SystemClock
from pageviews_core.lease import Leases

RETENTION = {
    "PAGEVIEWS_RETAIN_STAGING": "1h",
    "PAGEVIEWS_RETAIN_RAW_ROWS": "2h",
    "PAGEVIEWS_RETAIN_RAW_OBJECTS": "3h",
    "PAGEVIEWS_RETAIN_LANDING": "1h",  # but never within a day of the run that wrote it
}
"""Ages count from the newest hour, so that 1 h keeps two hours."""


def test_each_kind_of_input_goes_at_its_age_and_facts_stay(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(6, **RETENTION)
    hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0  # housekeeping is due, and comes after the build
    assert pipeline.counts() == whole(hours)
    assert pipeline.counts("stg_wikipedia_pageviews") == whole(hours[-2:])
    assert pipeline.counts("raw_wikipedia_pageviews") == whole(hours[-3:])
    assert hours_of(pipeline.keys("raw/")) == [hour.path for hour in hours[-4:]]
    assert hours_of(pipeline.keys("landing/")) == [hour.path for hour in hours]
    assert pipeline.generations("transformed") == dict.fromkeys(hours, 1)

    again = pipeline.transform("hour", str(hours[0]), "--force")
    assert again.code == 0, again.output
    assert "raw_rows_restored" in again.output
    pipeline.store.delete(pipeline.ingested(hours[1]).objects.landing)
    refused = pipeline.transform("hour", str(hours[1]), "--force")
    assert refused.code == 75
    assert refused.event("failed")["error_type"] == "InputGone"
    assert pipeline.counts() == whole(hours)


def test_an_hour_that_is_not_built_yet_keeps_its_input(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(6, **RETENTION)
    hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    with Leases(pipeline.store, SystemClock(), holder="another") as leases, leases.acquire("transformed", hours[0]):
        assert pipeline.transform().code == 0
    assert pipeline.generations("transformed") == dict.fromkeys(hours[1:], 1)
    assert hours_of(pipeline.keys("raw/")) == [hour.path for hour in (hours[0], *hours[-4:])]
    assert pipeline.counts("raw_wikipedia_pageviews") == whole(hours)  # rows go only up to the first one that is owed
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(hours)


def test_facts_go_only_where_that_is_asked_for(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(6, PAGEVIEWS_RETAIN_FACTS="2h", **RETENTION)
    hours = pipeline.server.hours
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(hours[-3:])
    assert pipeline.transform().event("tick_finished")["outcome"] == "idle"  # what expired is not built again
    assert pipeline.counts() == whole(hours[-3:])


def hours_of(keys: list[str]) -> list[str]:
    """`2026/11/20/09` of each key below `landing/pageviews/`."""
    return sorted({"/".join(key.split("/")[2:6]) for key in keys})
