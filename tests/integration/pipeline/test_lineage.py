"""Lineage of whole runs, as a receiver of OpenLineage events gets it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, derived, recent_hours, whole
from tests.tools.collector import collector, of_no_use
from tests.tools.openlineage_schema import require_valid
from tests.tools.troubles import WrongCrc
from ulid import ULID

from pageviews_core.hour import Hour

Event = dict[str, Any]
KEY = "key-that-nobody-else-may-see"


def in_file(pipeline: Pipeline) -> list[Event]:
    return [json.loads(line) for line in (pipeline.folder / "told" / "events.jsonl").read_text().splitlines()]


def told_to_file(pipeline: Pipeline) -> None:
    pipeline.settings["OPENLINEAGE_URL"] = (pipeline.folder / "told" / "events.jsonl").as_uri()


def ends(events: list[Event], job: str) -> list[Event]:
    return [event for event in events if event["job"]["name"] == job and event["eventType"] != "START"]


def by_hour(events: list[Event]) -> dict[str, Event]:
    return {event["run"]["facets"]["nominalTime"]["nominalStartTime"][:13]: event for event in events}


def rows(dataset: Event) -> int | None:
    """That were read or written."""
    for facets, name in (("inputFacets", "inputStatistics"), ("outputFacets", "outputStatistics")):
        if found := dataset.get(facets, {}).get(name):
            return int(found["rowCount"])
    return None


def assert_each_run_begins_and_ends_once(events: list[Event]) -> None:
    types = defaultdict(list)
    for event in events:
        require_valid(event)
        types[event["run"]["runId"]].append(event["eventType"])
    assert {tuple(each) for each in types.values()} <= {("START", "COMPLETE"), ("START", "FAIL"), ("START", "ABORT")}


@pytest.fixture(scope="module")
def hours() -> list[Hour]:
    return recent_hours(2)


def test_two_hours_from_the_source_to_the_marts(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours)
    told_to_file(pipeline)
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    events = in_file(pipeline)
    assert_each_run_begins_and_ends_once(events)
    assert {event["eventType"] for event in events} == {"START", "COMPLETE"}
    assert_runs_are_the_parents(pipeline, events)
    assert_hours_are_counted(pipeline, events)
    assert_models_are_counted(events, hours)
    assert_columns_lead_to_columns(events)
    assert_tests_are_of_their_tables(events)


def assert_runs_are_the_parents(pipeline: Pipeline, events: list[Event]) -> None:
    runs = {record.job: str(ULID.from_str(record.id).to_uuid()) for record in pipeline.runs()}
    for event in events:
        job = event["job"]["name"].split(".")[0]
        if event["job"]["name"] == job:
            assert event["run"]["runId"] == runs[job]
        else:
            assert event["run"]["facets"]["parent"]["run"]["runId"] == runs[job]
            assert event["run"]["facets"]["parent"]["job"]["name"] == job


def assert_hours_are_counted(pipeline: Pipeline, events: list[Event]) -> None:
    completed = by_hour(ends(events, "ingestor.hour"))
    for hour in pipeline.server.hours:
        event, marker = completed[str(hour)], pipeline.ingested(hour)
        assert event["run"]["facets"]["nominalTime"]["nominalEndTime"] == f"{hour + 1}:00:00.000Z"
        [source] = event["inputs"]
        assert source["namespace"] == f"http://{urlsplit(pipeline.server.url).netloc}"
        assert source["name"] == "other/pageviews"
        file = source["facets"]["pageviews_sourceFile"]
        for key in ("url", "etag", "sha256"):
            assert file[key] == getattr(marker.source, key)
        assert file["generation"] == marker.generation
        assert source["inputFacets"]["inputStatistics"]["size"] == marker.source.bytes
        _, loaded, _ = derived(hour)
        assert [rows(dataset) for dataset in (source, *event["outputs"])] == [loaded] * 3
        landing, raw = event["outputs"]
        assert (landing["namespace"], landing["name"]) == ("file", str(pipeline.folder / "objects/landing/pageviews"))
        assert raw["name"] == "warehouse.wikipedia.raw_wikipedia_pageviews"


def assert_models_are_counted(events: list[Event], hours: list[Hour]) -> None:
    loaded = sum(derived(hour)[1] for hour in hours)
    found = {}
    for event in events:
        if event["job"]["facets"]["jobType"]["jobType"] == "MODEL" and event["eventType"] == "COMPLETE":
            [output] = event["outputs"]
            assert event["job"]["name"].split(".")[1] == output["name"].rsplit(".", 1)[-1]
            assert event["job"]["facets"]["sql"]["query"]
            assert output["facets"]["schema"]["fields"]
            found[output["name"].rsplit(".", 1)[-1]] = rows(output)
    assert found["stg_wikipedia_pageviews"] == found["fct_wikipedia_pageviews"] == loaded
    assert found["dim_hour"] == len(hours)
    assert found["traffic_hourly"]
    assert {"dim_wikipedia_page", "wikipedia_pageviews", "top_pages_daily"} <= set(found)


def assert_tests_are_of_their_tables(events: list[Event]) -> None:
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for event in events:
        if event["job"]["facets"]["jobType"]["jobType"] != "TEST" or event["eventType"] != "COMPLETE":
            continue
        assert not event["outputs"]
        [dataset] = event["inputs"]
        table = dataset["name"].rsplit(".", 1)[-1]
        assert event["job"]["name"] == f"transformer.{table}.tests"
        columns = {each["name"] for each in dataset["facets"]["schema"]["fields"]}
        for each in dataset["inputFacets"]["dataQualityAssertions"]["assertions"]:
            assert each["success"], each
            assert each.get("column") is None or each["column"] in columns
            found[table][each["name"]] = (each["assertion"], each["severity"])
    assert found["fct_wikipedia_pageviews"] == {"facts_equal_ledger": ("custom_sql", "error")}
    assert ("unique", "error") in found["stg_wikipedia_domains"].values()
    assert ("unique_in_run", "error") in found["stg_wikipedia_pageviews"].values()


def assert_columns_lead_to_columns(events: list[Event]) -> None:
    """Followed from the view that analysts read, each column ends in the source's file or in nothing but an hour."""
    columns, lineage = {}, {}
    for event in events:
        for dataset in event["inputs"] + event["outputs"]:
            name = (dataset["namespace"], dataset["name"])
            facets = dataset.get("facets", {})
            if "schema" in facets:
                columns[name] = {each["name"] for each in facets["schema"]["fields"]}
            if "columnLineage" in facets:
                lineage[name] = facets["columnLineage"]["fields"]
    for name, fields in lineage.items():
        assert set(fields) <= columns[name]
        for sources in fields.values():
            for source in sources["inputFields"]:
                assert source["field"] in columns[source["namespace"], source["name"]]

    def roots(name: tuple[str, str], column: str) -> set[tuple[str, str]]:
        sources = lineage.get(name, {}).get(column, {}).get("inputFields", [])
        if not sources:
            return {(name[1], column)}
        return set().union(*(roots((each["namespace"], each["name"]), each["field"]) for each in sources))

    [view] = [name for name in lineage if name[1].endswith(".wikipedia_pageviews")]
    assert roots(view, "view_count") == {("other/pageviews", "count_views")}
    assert roots(view, "page_title") == {("other/pageviews", "page_title")}
    assert ("other/pageviews", "domain_code") in roots(view, "project")


def test_a_server_gets_the_same_and_nobody_sees_its_key(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours[-1:])
    with collector() as server:
        ended = pipeline.ingest(OPENLINEAGE_URL=server.url, OPENLINEAGE_API_KEY=KEY, OPENLINEAGE_NAMESPACE="ours")
        assert ended.code == 0, ended.output
        events = server.events()
    assert_each_run_begins_and_ends_once(events)
    assert [event["eventType"] for event in events] == ["START", "START", "COMPLETE", "COMPLETE"]
    assert {event["job"]["namespace"] for event in events} == {"ours"}
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    assert KEY not in ended.output
    assert not [path for path in pipeline.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_on_the_console(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours[-1:])
    ended = pipeline.ingest(OPENLINEAGE_URL="console:")
    events = [json.loads(line) for line in ended.output.splitlines() if '"eventType"' in line]
    assert_each_run_begins_and_ends_once(events)
    assert [event["eventType"] for event in events] == ["START", "START", "COMPLETE", "COMPLETE"]


def test_a_corrupt_hour_fails_and_the_other_completes(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours, {hours[0]: WrongCrc()})
    told_to_file(pipeline)
    assert pipeline.ingest().code == 0
    events = in_file(pipeline)
    assert_each_run_begins_and_ends_once(events)
    found = by_hour(ends(events, "ingestor.hour"))
    assert {hour: event["eventType"] for hour, event in found.items()} == {
        str(hours[0]): "FAIL",
        str(hours[1]): "COMPLETE",
    }
    assert "is damaged" in found[str(hours[0])]["run"]["facets"]["errorMessage"]["message"]
    [run] = ends(events, "ingestor")
    assert run["eventType"] == "FAIL"
    assert str(hours[0]) in run["run"]["facets"]["errorMessage"]["message"]


def test_a_stop_aborts_the_hour_and_the_run(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours[-1:])
    told_to_file(pipeline)
    assert pipeline.ingest(fault=pipeline.fault("enter step land", "terminate")).code == 143
    events = in_file(pipeline)
    assert_each_run_begins_and_ends_once(events)
    assert [event["eventType"] for event in events] == ["START", "START", "ABORT", "ABORT"]


def test_a_model_that_breaks_fails_and_what_it_needed_completes(open_pipeline: OpenPipeline, hours: list[Hour]) -> None:
    pipeline = open_pipeline(hours[-1:])
    told_to_file(pipeline)
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    pipeline.query("alter table dim_hour add column surplus integer default 1")
    pipeline.query("alter table dim_hour alter surplus drop default")
    pipeline.query("alter table dim_hour alter surplus set not null")
    before = len(in_file(pipeline))
    pipeline.transform("hour", str(hours[-1]), "--force")
    events = in_file(pipeline)[before:]
    assert_each_run_begins_and_ends_once(events)
    [failed] = [event for event in ends(events, "transformer.dim_hour") if event["eventType"] == "FAIL"]
    assert "surplus" in failed["run"]["facets"]["errorMessage"]["message"]
    assert {event["eventType"] for event in ends(events, "transformer.fct_wikipedia_pageviews")} == {"COMPLETE"}


@pytest.mark.parametrize("how", ["hangs", "refuses", "gone"])
def test_a_receiver_that_is_no_use_costs_no_hour(open_pipeline: OpenPipeline, hours: list[Hour], how: str) -> None:
    pipeline = open_pipeline(hours[-1:])
    with of_no_use(how) as url:
        ended = pipeline.ingest(OPENLINEAGE_URL=url)
    assert ended.code == 0, ended.output
    assert pipeline.ledger() == whole(hours[-1:])
    told = ended.event("lineage_dropped")
    assert (told["dropped"], told["sent"]) == (4, 0)
    assert url not in ended.output
