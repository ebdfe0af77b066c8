from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import no_scheduler
from tests.unit.status_api.memory_index import MemoryIndex
from ulid import ULID

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from status_api.queries.answers import NotFound
from status_api.queries.assets import PUBLISHED_FROM, Asset, list_assets, read_asset, read_lineage
from status_api.queries.manifest import BUILDS_AT_MOST
from status_api.settings import StatusSettings
from status_api.view import View
from transformer.published import marts

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
RAW = "source.pageviews.wikimedia.raw_pageviews"
SEED = "seed.pageviews.wikis"
FACTS = "model.pageviews.fct_wikipedia_pageviews"
DAILY = "model.pageviews.top_pages_daily"
TRAFFIC = "model.pageviews.traffic_hourly"
UNIQUE = "test.pageviews.unique_facts.1"
SINGULAR = "test.pageviews.facts_equal_ledger"


def _node(unique_id: str, *upstream: str, **more: Any) -> dict[str, Any]:
    kind, package, *rest = unique_id.split(".")
    return {
        "unique_id": unique_id,
        "name": rest[0] if kind == "test" else rest[-1],
        "resource_type": kind,
        "package_name": package,
        "fqn": [package, "marts", "core", rest[-1]],
        "description": f"What\n  {rest[-1]} is.\n",
        "config": {"materialized": "incremental", "unique_key": "hour_started_at"},
        "depends_on": {"nodes": list(upstream)},
        "columns": {},
        "raw_code": "select {{ 1 }}",
        "more_that_nobody_reads": {"a": [1]},
        **more,
    }


def _manifest(**changes: dict[str, Any]) -> dict[str, Any]:
    column = {
        "name": "page_key",
        "description": "The\nkey.",
        "data_type": "ubigint",
        "constraints": [{"type": "not_null"}],
    }
    nodes = [
        _node(SEED, config={"materialized": "seed"}, raw_code=""),
        _node(FACTS, RAW, SEED, columns={"page_key": column}, compiled_code="select 1"),
        _node(DAILY, FACTS, config={"materialized": "incremental", "unique_key": "date_day"}),
        _node(TRAFFIC, FACTS, config={"materialized": "view"}),
        _node(UNIQUE, FACTS, attached_node=FACTS, column_name="page_key", test_metadata={"name": "unique"}),
        _node(SINGULAR, FACTS),
        _node("model.other_package.helper"),
        _node("operation.pageviews.hook"),
    ]
    return {
        "metadata": {"project_name": "pageviews"},
        "nodes": {node["unique_id"]: {**node, **changes.get(node["name"], {})} for node in nodes},
        "sources": {RAW: _node(RAW)},
        "macros": {"macro.pageviews.x": {"macro_sql": "x" * 1000}},
    }


_ALL = {SEED: "success", FACTS: "success", DAILY: "success", TRAFFIC: "success", UNIQUE: "pass", SINGULAR: "pass"}


def _results(statuses: dict[str, str], at: str) -> dict[str, Any]:
    return {
        "metadata": {"generated_at": f"{at[:-1]}.123456Z"},
        "results": [
            {
                "unique_id": unique_id,
                "status": status,
                "execution_time": 0.25,
                "failures": 3 if status == "fail" else 0 if status == "pass" else None,
                "timing": [{"name": "execute", "started_at": at, "completed_at": at}],
                "adapter_response": {"rows_affected": 49} if unique_id == SEED else {"_message": "OK"},
            }
            for unique_id, status in statuses.items()
        ],
    }


class _Builds:
    """Runs of the transformer in a store and an index."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.index = MemoryIndex()
        self.clock = FakeClock(NOW)
        self.view = View(self.index, self.store, self.clock, StatusSettings(), no_scheduler())

    def run(self, at: str, *, state: str = "succeeded", job: str = "transformer") -> str:
        """A run without artifacts."""
        run = str(ULID.from_datetime(datetime.fromisoformat(at)))
        self.index.add(
            "runs", id=run, job=job, trigger="schedule", state=state, started_at=at, hour_count=1, failed_hours=0,
            rows=0, bytes=0, peak_memory=0, steps="{}", host="here", version="0.1.0",
        )  # fmt: skip
        return run

    def build(
        self, statuses: dict[str, str] | None = None, at: str = "2026-11-20T10:05:00Z", *, state: str = "succeeded"
    ) -> str:
        run = self.run(at, state=state)
        self.keep(run, 1, "manifest.json", _manifest())
        self.keep(run, 1, "run_results.json", _results(_ALL if statuses is None else statuses, at))
        return run

    def keep(self, run: str, number: int, name: str, content: dict[str, Any] | bytes) -> str:
        key = f"{keys.run(run)}/artifacts/{number:03d}/{name}.gz"
        body = content if isinstance(content, bytes) else gzip.compress(json.dumps(content).encode())
        self.store.put(key, body)
        return key

    def ingested(self, hour: str = "2026-11-20T08", **more: Any) -> None:
        self.index.add(
            "hours",
            **{
                "hour": hour,
                "state": "complete",
                "rows": 1215,
                "ingested_at": "2026-11-20T09:21:00Z",
                "ingested_run": "01JD4Q2Z5V0000000000000001",
                "ingest_seconds": 2.5,
                "source_last_modified": "Fri, 20 Nov 2026 09:19:04 GMT",
                **more,
            },
        )

    def assets(self) -> dict[str, Asset]:
        return {asset.name: asset for asset in list_assets(self.view)}


@pytest.fixture
def builds() -> _Builds:
    return _Builds()


def test_before_the_first_build_there_is_nothing(builds: _Builds) -> None:
    builds.run("2026-11-20T10:00:00Z")
    builds.run("2026-11-20T10:01:00Z", job="ingestor")
    assert list_assets(builds.view) == ()
    lineage = read_lineage(builds.view)
    assert (lineage.nodes, lineage.edges, lineage.layers, lineage.rows) == ((), (), 0, 0)
    with pytest.raises(NotFound, match="traffic_hourly"):
        read_asset(builds.view, "traffic_hourly")


def test_assets_go_from_the_source_to_what_is_published(builds: _Builds) -> None:
    builds.build()
    assets = builds.assets()
    assert {name: asset.kind for name, asset in assets.items()} == {
        "wikimedia_dumps": "source_object",
        "raw_pageviews": "source",
        "wikis": "seed",
        "fct_wikipedia_pageviews": "model",
        "top_pages_daily": "model",
        "traffic_hourly": "model",
        **dict.fromkeys(("pulse", "series", "top", "traffic", "trending"), "published"),
    }
    facts = assets["fct_wikipedia_pageviews"]
    assert facts.upstream == ("raw_pageviews", "wikis")
    assert facts.downstream == ("series", "top_pages_daily", "traffic_hourly")
    assert (facts.group, facts.materialized) == ("marts/core", "incremental")
    assert facts.description == "What fct_wikipedia_pageviews is."
    assert assets["raw_pageviews"].upstream == ("wikimedia_dumps",)
    assert assets["traffic"].upstream == ("traffic_hourly",)
    order = list(assets)
    assert all(order.index(before) < order.index(name) for name, asset in assets.items() for before in asset.upstream)


def test_what_is_published_comes_from_all_that_the_transformer_reads() -> None:
    assert {mart for read in PUBLISHED_FROM.values() for mart in read} == marts._TABLES


def test_a_build_tells_when_how_long_and_how_many_rows(builds: _Builds) -> None:
    run = builds.build(at="2026-11-20T10:05:00Z")
    builds.ingested("2026-11-20T08")
    builds.ingested("2026-11-20T09", rows=999)
    builds.index.add("meta", name="newest_complete_hour", value="2026-11-20T08")
    assets = builds.assets()
    facts = assets["fct_wikipedia_pageviews"]
    assert (facts.state, facts.last_run, facts.seconds) == ("fresh", run, 0.25)
    assert facts.last_built_at == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
    assert (facts.rows, assets["wikis"].rows, assets["traffic_hourly"].rows) == (1215, 49, None)


def test_models_get_stale_each_after_its_own_time_and_seeds_never(builds: _Builds) -> None:
    builds.build(at="2026-11-20T07:15:00Z")

    def states() -> list[str]:
        assets = builds.assets()
        return [assets[name].state for name in ("wikis", "top_pages_daily", "fct_wikipedia_pageviews")]

    assert states() == ["fresh", "fresh", "fresh"]
    builds.clock.step(1)
    assert states() == ["fresh", "fresh", "stale"]
    builds.clock.step(27 * 3600)
    assert states() == ["fresh", "stale", "stale"]
    assets = builds.assets()
    assert [assets[name].expected_every_seconds for name in ("wikis", "top_pages_daily", "traffic_hourly")] == [
        None,
        30 * 3600,
        3 * 3600,
    ]


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ({FACTS: "error", DAILY: "skipped"}, {"fct_wikipedia_pageviews"}),
        ({UNIQUE: "fail"}, {"fct_wikipedia_pageviews"}),
        ({SINGULAR: "error"}, {"fct_wikipedia_pageviews"}),
        ({SINGULAR: "warn"}, set()),
    ],
)
def test_what_failed_last_or_has_a_test_that_did_has_failed(
    builds: _Builds, statuses: dict[str, str], failed: set[str]
) -> None:
    builds.build(at="2026-11-20T09:05:00Z")
    newest = builds.build({**_ALL, **statuses}, at="2026-11-20T10:05:00Z", state="failed")
    assets = builds.assets()
    assert {name for name, asset in assets.items() if asset.state == "failed"} == failed
    for name in failed:
        assert assets[name].last_run == newest
        assert assets[name].last_built_at is not None


def test_once_it_is_built_again_it_has_not_failed(builds: _Builds) -> None:
    builds.build({**_ALL, FACTS: "error", UNIQUE: "fail"}, at="2026-11-20T09:05:00Z")
    builds.build(at="2026-11-20T10:05:00Z")
    assert builds.assets()["fct_wikipedia_pageviews"].state == "fresh"


def test_of_a_run_the_last_batch_counts(builds: _Builds) -> None:
    run = builds.build({**_ALL, FACTS: "error"})
    builds.keep(run, 2, "run_results.json", _results(_ALL, "2026-11-20T10:06:00Z"))
    assert builds.assets()["fct_wikipedia_pageviews"].last_built_at == datetime(2026, 11, 20, 10, 6, tzinfo=UTC)


def test_what_a_build_of_some_models_left_out_was_built_before(builds: _Builds) -> None:
    builds.build(at="2026-11-20T09:05:00Z")
    builds.build({TRAFFIC: "success"}, at="2026-11-20T10:05:00Z")
    assets = builds.assets()
    assert assets["traffic_hourly"].last_built_at == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
    assert assets["fct_wikipedia_pageviews"].last_built_at == datetime(2026, 11, 20, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(("runs", "state"), [(1, "never_built"), (2000, "unknown")])
def test_without_a_result_it_was_never_built_or_longer_ago_than_is_looked(
    builds: _Builds, runs: int, state: str
) -> None:
    builds.index.add("run_counts", job="transformer", state="succeeded", trigger="schedule", count=runs)
    builds.index.add("run_counts", job="ingestor", state="succeeded", trigger="schedule", count=5000)
    builds.build({FACTS: "success"})
    assets = builds.assets()
    assert (assets["traffic_hourly"].state, assets["traffic_hourly"].last_built_at) == (state, None)
    assert assets["fct_wikipedia_pageviews"].state == "fresh"


def test_runs_without_artifacts_are_passed_over_and_everything_is_read_once(builds: _Builds) -> None:
    builds.build(at="2026-11-20T09:05:00Z")
    for minute in range(10):
        builds.run(f"2026-11-20T10:{minute:02d}:00Z", state="failed")
    builds.store.requests.clear()
    assert builds.assets()["traffic_hourly"].state == "fresh"
    assert builds.store.requests == {"list": 11, "get": 2}
    for _ in range(3):
        read_lineage(builds.view)
        read_asset(builds.view, "traffic_hourly")
    assert builds.store.requests == {"list": 11, "get": 2}


def test_runs_are_not_looked_at_without_end(builds: _Builds) -> None:
    builds.build(at="2026-11-20T09:00:00Z")
    for minute in range(40):
        builds.run(f"2026-11-20T09:{minute + 10:02d}:00Z", state="failed")
    assert list_assets(builds.view) == ()
    assert builds.store.requests["list"] == 20


def test_while_a_run_goes_on_its_batches_are_seen_as_they_come(builds: _Builds) -> None:
    run = builds.build(state="running")
    assert builds.assets()["traffic_hourly"].state == "fresh"
    builds.keep(run, 2, "run_results.json", _results({TRAFFIC: "error"}, "2026-11-20T10:06:00Z"))
    builds.index.version += 1
    assert builds.assets()["traffic_hourly"].state == "failed"


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b"{")[:-4],
        gzip.compress(b"[]"),
        gzip.compress(b'{"metadata": {}}'),
        gzip.compress(b" " * (16 * 1024**2 + 1), 9),
        gzip.compress(json.dumps(_manifest(traffic_hourly={"depends_on": {"nodes": [TRAFFIC]}})).encode()),
    ],
    ids=["foreign", "half", "no object", "another", "huge", "a circle"],
)
def test_artifacts_that_cannot_be_read_are_as_good_as_none(builds: _Builds, body: bytes) -> None:
    builds.build(at="2026-11-20T09:05:00Z")
    broken = builds.run("2026-11-20T10:05:00Z")
    bad = {builds.keep(broken, 1, name, body) for name in ("manifest.json", "run_results.json")}
    with capture_logs() as logs:
        assert builds.assets()["traffic_hourly"].last_built_at == datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
        builds.assets()
    assert {entry["event"] for entry in logs} == {"artifact_refused"}
    assert [entry["key"] for entry in logs] == sorted(bad)


def test_an_artifact_that_retention_took_meanwhile_is_passed_over(builds: _Builds) -> None:
    builds.build(at="2026-11-20T09:05:00Z")
    run = builds.build(at="2026-11-20T10:05:00Z")

    def take(verb: str, key: str) -> None:
        if verb == "get" and run in key:
            builds.store._objects.pop(key, None)

    builds.store.before = take
    with capture_logs() as logs:
        assert builds.assets()["traffic_hourly"].last_built_at == datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
    assert [entry["event"] for entry in logs] == ["artifact_gone", "artifact_gone"]


def test_a_store_that_is_down_is_said_until_it_is_up(builds: _Builds) -> None:
    builds.build()

    def refuse(verb: str, key: str) -> None:
        raise StoreUnavailable("gone")

    builds.store.before = refuse
    with pytest.raises(StoreUnavailable):
        list_assets(builds.view)
    builds.store.before = lambda verb, key: None
    assert builds.assets()["traffic_hourly"].state == "fresh"


def test_the_source_is_as_old_as_its_newest_file(builds: _Builds) -> None:
    builds.build()
    assert builds.assets()["wikimedia_dumps"].state == "unknown"
    builds.ingested("2026-11-20T07", source_last_modified="Fri, 20 Nov 2026 08:20:00 GMT")
    builds.ingested("2026-11-20T08")
    source = builds.assets()["wikimedia_dumps"]
    assert (source.state, source.last_built_at) == ("fresh", datetime(2026, 11, 20, 9, 19, 4, tzinfo=UTC))
    builds.clock.step(2.2 * 3600)
    assert builds.assets()["wikimedia_dumps"].state == "stale"


@pytest.mark.parametrize("text", [None, "", "yesterday", "Fri, 31 Dec 9999 23:00:00 -2300"])
def test_a_source_without_a_time_is_of_unknown_age(builds: _Builds, text: str | None) -> None:
    builds.build()
    builds.ingested(source_last_modified=text)
    assert builds.assets()["wikimedia_dumps"].state == "unknown"


def test_the_raw_table_stands_as_the_newest_load_does(builds: _Builds) -> None:
    builds.build()
    assert builds.assets()["raw_pageviews"].state == "never_built"
    builds.ingested()
    raw = builds.assets()["raw_pageviews"]
    assert (raw.state, raw.rows, raw.seconds) == ("fresh", 1215, 2.5)
    assert raw.last_built_at == datetime(2026, 11, 20, 9, 21, tzinfo=UTC)
    builds.index.add(
        "hours", hour="2026-11-20T09", state="waiting", failed_stage="ingested", failure_kind="unpublished"
    )
    assert builds.assets()["raw_pageviews"].state == "fresh"
    builds.index.add("hours", hour="2026-11-20T10", state="failed", failed_stage="ingested", failure_kind="failed")
    assert builds.assets()["raw_pageviews"].state == "failed"


def test_published_results_stand_as_their_index_does(builds: _Builds) -> None:
    builds.build()
    assert builds.assets()["pulse"].state == "never_built"
    builds.index.add("meta", name="published_generated_at", value="2026-11-20T10:06:00Z")
    for name in ("pulse", "series/00", "series/3f"):
        builds.index.add("published", name=name, key=f"published/{name}.json", sha256="0", bytes=1)
    assets = builds.assets()
    assert {name: assets[name].state for name in ("pulse", "series", "top")} == {
        "pulse": "fresh",
        "series": "fresh",
        "top": "never_built",
    }
    builds.clock.step(3 * 3600)
    assert builds.assets()["pulse"].state == "stale"


def test_an_asset_in_full(builds: _Builds) -> None:
    builds.build({**_ALL, UNIQUE: "fail"}, at="2026-11-20T09:05:00Z")
    builds.build({**_ALL, SINGULAR: "warn"}, at="2026-11-20T10:05:00Z")
    detail = read_asset(builds.view, "fct_wikipedia_pageviews")
    [column] = detail.columns
    assert (column.name, column.type, column.description) == ("page_key", "ubigint", "The key.")
    assert column.tests == ("not_null", "unique")
    assert [(test.name, test.column, test.status, test.failures) for test in detail.tests] == [
        ("facts_equal_ledger", None, "warn", None),
        ("unique_facts", "page_key", "pass", 0),
    ]
    assert detail.sql == "select 1"
    assert [(f"{at:%H:%M}", status, seconds) for at, status, seconds in detail.history] == [
        ("10:05", "success", 0.25),
        ("09:05", "success", 0.25),
    ]
    assert read_asset(builds.view, "traffic_hourly").sql == "select {{ 1 }}"
    assert read_asset(builds.view, "wikis").sql is None


def test_the_history_is_bounded(builds: _Builds) -> None:
    for hour in range(15):
        builds.build(at=f"2026-11-19T{hour:02d}:05:00Z")
    builds.store.requests.clear()
    history = read_asset(builds.view, "traffic_hourly").history
    assert len(history) == BUILDS_AT_MOST
    assert history[0][0] == datetime(2026, 11, 19, 14, 5, tzinfo=UTC)
    assert builds.store.requests["get"] <= BUILDS_AT_MOST + 1


def test_the_history_of_a_source_is_that_of_its_hours(builds: _Builds) -> None:
    builds.build()
    for hour in range(40):
        builds.ingested(f"2026-11-{19 + hour // 24}T{hour % 24:02d}")
    for name in ("raw_pageviews", "wikimedia_dumps"):
        assert len(read_asset(builds.view, name).history) == 30
    assert read_asset(builds.view, "pulse").history == ()


def test_long_sql_is_cut(builds: _Builds) -> None:
    run = builds.run("2026-11-20T10:05:00Z")
    builds.keep(run, 1, "manifest.json", _manifest(traffic_hourly={"compiled_code": "x" * 1_000_000}))
    sql = read_asset(builds.view, "traffic_hourly").sql
    assert sql is not None
    assert len(sql) == 20_000


def test_two_of_the_same_name_are_told_apart(builds: _Builds) -> None:
    run = builds.run("2026-11-20T10:05:00Z")
    builds.keep(run, 1, "manifest.json", _manifest(traffic_hourly={"name": "pulse"}))
    assert TRAFFIC in builds.assets()


def test_the_lineage_runs_from_left_to_right(builds: _Builds) -> None:
    builds.build()
    lineage = read_lineage(builds.view)
    layer = {node.name: node.layer for node in lineage.nodes}
    assert layer["wikimedia_dumps"] == layer["wikis"] == 0
    assert layer["raw_pageviews"] == 1
    assert {layer[name] for name in ("pulse", "series", "top", "traffic", "trending")} == {lineage.layers - 1} == {4}
    assert all(layer[before] < layer[after] for before, after in lineage.edges)
    assert lineage.rows == 5
    assert ("raw_pageviews", "fct_wikipedia_pageviews") in lineage.edges
    assert read_lineage(builds.view) == lineage
