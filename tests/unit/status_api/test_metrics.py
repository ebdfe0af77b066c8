from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client.parser import text_string_to_metric_families
from starlette.middleware.base import RequestResponseEndpoint
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import no_scheduler
from tests.unit.status_api.in_process import started
from tests.unit.status_api.memory_index import MemoryIndex
from tests.unit.status_api.pipeline_state import fill

from pageviews_core import __version__
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.published import AccessTraffic, ProjectTraffic, Traffic
from status_api.index.index import Filling, StoreHealth
from status_api.metrics import KEPT_SECONDS, Metrics, router
from status_api.settings import StatusSettings
from status_api.view import View


class _Scraped:
    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.store = InMemoryObjectStore()
        self.clock = FakeClock()
        self.view = View(self.index, self.store, self.clock, StatusSettings(), no_scheduler())
        self.metrics = Metrics(self.view)

    def text(self) -> str:
        return self.metrics.exposition("")[0].decode()

    def samples(self) -> dict[str, dict[str, float]]:
        """Values by name, and by the labels' values in the order of their names."""
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                labels = "/".join(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def fresh_samples(self) -> dict[str, dict[str, float]]:
        self.clock.advance(KEPT_SECONDS)
        return self.samples()


@pytest.fixture
def empty() -> _Scraped:
    return _Scraped()


@pytest.fixture
def scraped() -> _Scraped:
    scraped = _Scraped()
    fill(scraped.index)
    return scraped


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_empty_store_has_hours_in_no_state(empty: _Scraped) -> None:
    samples = empty.samples()
    assert samples["pageviews_hour_states"] == dict.fromkeys(
        ["complete", "ingested", "running", "waiting", "late", "failed", "missing", "absent", "expired"], 0
    )
    assert set(samples["pageviews_hour_warnings"].values()) == {0}
    assert samples["pageviews_store_up"] == samples["pageviews_index_complete"] == {"": 1}
    assert samples["pageviews_open_requests"] == samples["pageviews_unreadable_objects"] == {"": 0}
    assert samples["pageviews_schedule_suspended"] == {"ingestor": 0, "transformer": 0}
    for name in (
        "pageviews_newest_complete_hour_timestamp_seconds",
        "pageviews_failing_since_timestamp_seconds",
        "pageviews_oldest_open_request_timestamp_seconds",
        "pageviews_source_lateness_seconds",
        "pageviews_last_run_duration_seconds",
    ):
        assert name not in samples


def test_hours_by_state_and_warning(scraped: _Scraped) -> None:
    samples = scraped.samples()
    assert samples["pageviews_hour_states"]["complete"] == 670
    assert samples["pageviews_hour_states"]["failed"] == 1
    assert samples["pageviews_hour_states"]["missing"] == 0
    assert samples["pageviews_hour_warnings"]["control_differs"] == 3
    assert samples["pageviews_hour_warnings"]["test_warned"] == 0


def test_times_are_of_the_hours_ends_so_that_the_lag_is_their_difference(scraped: _Scraped) -> None:
    samples = scraped.samples()
    assert samples["pageviews_newest_complete_hour_timestamp_seconds"] == {"": _seconds("2026-11-20T09:00:00Z")}
    assert samples["pageviews_expected_hour_timestamp_seconds"] == {"": _seconds("2026-11-20T10:00:00Z")}


def test_the_newest_complete_hour(scraped: _Scraped) -> None:
    samples = scraped.samples()
    found = {
        name.removeprefix("pageviews_newest_complete_hour_"): values[""]
        for name, values in samples.items()
        if name.startswith("pageviews_newest_complete_hour_")
    }
    del found["timestamp_seconds"]
    assert found == {
        "rows": 5_000_000,
        "views": 20_000_000,
        "bytes": 45_000_000,
        "rejected_lines": 2,
        "ingest_seconds": 21.5,
        "ingest_credits": 0.0125,
        "transform_seconds": 33.0,
        "differing_domains": 4,
    }
    assert samples["pageviews_source_lateness_seconds"] == {"": 22 * 60}


def test_without_control_totals_nothing_is_said_to_differ(empty: _Scraped) -> None:
    empty.index.add("meta", name="newest_complete_hour", value="2026-11-20T08")
    empty.index.add("hours", hour="2026-11-20T08", state="complete", rows=1, control_state="unavailable")
    samples = empty.samples()
    assert samples["pageviews_newest_complete_hour_rows"] == {"": 1}
    assert "pageviews_newest_complete_hour_differing_domains" not in samples
    assert "pageviews_newest_complete_hour_views" not in samples


def test_failing_since_holds_through_a_retry_and_ends_with_an_acknowledgement(empty: _Scraped) -> None:
    def failing(hour: str, since: str, kind: str = "failed", state: str = "failed", until: str | None = None) -> None:
        empty.index.add(
            "hours", hour=hour, state=state, failing_since=since, failure_kind=kind, acknowledged_until=until
        )

    def since() -> dict[str, float] | None:
        return empty.fresh_samples().get("pageviews_failing_since_timestamp_seconds")

    failing("2026-11-20T05", "2026-11-20T06:20:00Z", kind="unpublished", state="waiting")
    failing("2026-11-20T06", "2026-11-20T07:20:00Z", until="2026-11-20T11:00:00Z")
    assert since() is None
    failing("2026-11-20T08", "2026-11-20T09:20:00Z")
    failing("2026-11-20T07", "2026-11-20T08:20:00Z", state="running")
    assert since() == {"": _seconds("2026-11-20T08:20:00Z")}
    empty.clock.advance(3600)
    assert since() == {"": _seconds("2026-11-20T07:20:00Z")}


def test_runs_by_pipeline_outcome_and_trigger(scraped: _Scraped) -> None:
    assert scraped.samples()["pageviews_runs"] == {
        "failed/ingestor/schedule": 2,
        "succeeded/ingestor/schedule": 600,
        "succeeded/transformer/backfill": 5,
        "running/transformer/schedule": 1,
    }


def test_the_last_runs(scraped: _Scraped) -> None:
    samples = scraped.samples()
    assert samples["pageviews_last_run_duration_seconds"] == {
        "succeeded/ingestor": 30,
        "failed/ingestor": 4,
        "succeeded/transformer": 40,
    }
    assert samples["pageviews_last_run_finished_timestamp_seconds"] == {
        "succeeded/ingestor": _seconds("2026-11-20T09:21:30Z"),
        "failed/ingestor": _seconds("2026-11-20T09:50:04Z"),
        "succeeded/transformer": _seconds("2026-11-20T09:25:40Z"),
    }
    assert samples["pageviews_last_run_peak_memory_bytes"] == {"ingestor": 150_000_000, "transformer": 400_000_000}
    assert samples["pageviews_last_run_seconds_per_data_hour"] == {"ingestor": 15, "transformer": 10}
    assert samples["pageviews_last_run_bytes_per_data_hour"] == {"ingestor": 45_000_000}
    assert samples["pageviews_last_run_step_seconds"] == {
        "ingestor/download": 3.5,
        "transformer/dbt": 30,
        "transformer/mark": 1,
    }


def test_names_of_steps_are_bounded(empty: _Scraped) -> None:
    steps = {f"step_{number:03d}": 1 for number in range(100)} | {'x"} 1\n': 2, "UPPER": 3}
    fill(empty.index, steps=steps)
    found = empty.samples()["pageviews_last_run_step_seconds"]
    transformer = {name: value for name, value in found.items() if name.startswith("transformer/")}
    assert len(transformer) <= 33
    assert sum(transformer.values()) == 105
    assert transformer["transformer/other"] > 70


def test_ticks_schedules_and_requests(scraped: _Scraped) -> None:
    samples = scraped.samples()
    assert samples["pageviews_last_tick_timestamp_seconds"] == {
        "ingestor": _seconds("2026-11-20T10:15:00Z"),
        "transformer": _seconds("2026-11-20T10:10:00Z"),
    }
    assert samples["pageviews_tick_owed"] == {"ingestor": 1, "transformer": 0}
    assert samples["pageviews_schedule_suspended"] == {"ingestor": 0, "transformer": 1}
    assert samples["pageviews_open_requests"] == {"": 2}
    assert samples["pageviews_oldest_open_request_timestamp_seconds"] == {"": _seconds("2026-11-20T09:30:00Z")}
    assert samples["pageviews_unreadable_objects"] == {"": 1}


def test_the_service_and_its_process(scraped: _Scraped) -> None:
    scraped.index.filling = Filling(complete=True, read=70, known=75)
    samples = scraped.samples()
    assert samples["pageviews_build_info"] == {__version__: 1}
    assert samples["pageviews_index_objects"] == {"": 70}
    assert samples["pageviews_index_known_objects"] == {"": 75}
    assert samples["process_resident_memory_bytes"][""] > 1_000_000
    assert "python_info" not in samples


_OF_THE_SERVICE = {
    "pageviews_build_info",
    "pageviews_store_up",
    "pageviews_index_complete",
    "pageviews_index_objects",
    "pageviews_index_known_objects",
}


def test_with_the_store_down_the_data_is_absent(scraped: _Scraped) -> None:
    scraped.index.store = StoreHealth(up=False, error="gone", seen_at=datetime(2026, 11, 20, 10, tzinfo=UTC))
    samples = scraped.samples()
    assert {name for name in samples if name.startswith("pageviews_")} == _OF_THE_SERVICE
    assert samples["pageviews_store_up"] == {"": 0}


def test_while_the_store_is_first_read_the_data_is_absent(scraped: _Scraped) -> None:
    scraped.index.filling = Filling(complete=False, read=2, known=900)
    samples = scraped.samples()
    assert {name for name in samples if name.startswith("pageviews_")} == _OF_THE_SERVICE
    assert samples["pageviews_index_complete"] == {"": 0}
    assert samples["pageviews_store_up"] == {"": 1}


def test_it_is_computed_at_most_every_five_seconds(empty: _Scraped) -> None:
    assert empty.samples()["pageviews_unreadable_objects"] == {"": 0}
    empty.index.add("unreadable", key="runs/x", reason="foreign", seen_at="2026-11-20T10:00:00Z")
    empty.clock.step(3600)  # somebody sets the wall clock
    empty.clock.advance(4.9)
    assert empty.samples()["pageviews_unreadable_objects"] == {"": 0}
    empty.clock.advance(0.1)
    assert empty.samples()["pageviews_unreadable_objects"] == {"": 1}


def test_a_scrape_asks_nothing_of_the_store(scraped: _Scraped) -> None:
    scraped.samples()
    assert scraped.store.requests == {}
    assert scraped.index.looked == scraped.index.refreshed == 0


def test_what_is_computed_from_kept_objects_is_a_gauge_with_unreserved_labels(scraped: _Scraped) -> None:
    families = [family for family in text_string_to_metric_families(scraped.text()) if "pageviews" in family.name]
    assert len(families) > 30
    for family in families:
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        assert not family.name.endswith("_total")
        for sample in family.samples:
            assert sample.labels.keys() <= {"state", "warning", "pipeline", "outcome", "trigger", "step", "version"}


@pytest.fixture
def app(scraped: _Scraped) -> FastAPI:
    app = FastAPI()
    app.include_router(router)

    @app.middleware("http")
    async def with_view(request: Request, call_next: RequestResponseEndpoint) -> Response:
        request.state.view = scraped.view
        return await call_next(request)

    return app


def test_it_is_served_as_text_that_prometheus_reads(app: FastAPI, scraped: _Scraped) -> None:
    with started(app) as client:
        response = client.get("/metrics")
        scraped.index.add("unreadable", key="runs/y", reason="foreign", seen_at="2026-11-20T10:00:00Z")
        again = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["cache-control"] == "no-store"
    assert "pageviews_store_up 1.0" in response.text.splitlines()
    assert "pageviews_unreadable_objects 1.0" in again.text.splitlines()  # one registry, so what was computed is kept


def test_a_scraper_that_asks_for_openmetrics_gets_it(scraped: _Scraped) -> None:
    body, media_type = scraped.metrics.exposition("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert media_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_failed_runs_in_a_row_are_those_since_the_last_good_one(empty: _Scraped) -> None:
    for number, (job, state) in enumerate(
        [("ingestor", "failed"), ("ingestor", "succeeded"), ("ingestor", "failed"), ("ingestor", "lost"),
         ("ingestor", "stopped"), ("ingestor", "running"), ("transformer", "failed"), ("transformer", "succeeded")]
    ):  # fmt: skip
        empty.index.add(
            "runs", id=f"01JD4Q2Z5V000000000000000{number}", job=job, trigger="schedule", state=state,
            started_at="2026-11-20T09:00:00Z", hour_count=0, failed_hours=0, rows=0, bytes=0, peak_memory=0,
            steps="{}", host="h", version="1",
        )  # fmt: skip
    assert empty.samples()["pageviews_failed_runs_in_a_row"] == {"ingestor": 2, "transformer": 0}


def test_a_tick_that_did_not_come_is_a_missed_schedule_unless_it_is_suspended(empty: _Scraped) -> None:
    for job in ("ingestor", "transformer"):
        empty.index.add("ticks", job=job, at="2026-11-20T08:00:00Z", outcome="idle", owed=0, seconds=0.1, version="1")
    empty.index.add("suspended", job="transformer")
    samples = empty.samples()
    assert samples["pageviews_schedule_missed"] == {"ingestor": 1, "transformer": 0}
    assert samples["pageviews_schedule_suspended"] == {"ingestor": 0, "transformer": 1}


def test_restated_hours_are_those_past_their_first_generation(empty: _Scraped) -> None:
    for hour, generation in (("2026-11-20T05", 1), ("2026-11-20T06", 2), ("2026-11-20T07", 3)):
        empty.index.add("hours", hour=hour, state="complete", ingested_generation=generation)
    assert empty.samples()["pageviews_hour_restatements"] == {"": 2}


def test_the_room_of_a_folder_is_told_and_s3s_is_not(empty: _Scraped, tmp_path: Path) -> None:
    assert "pageviews_store_free_bytes" not in empty.samples()
    folder = LocalObjectStore(tmp_path)
    told = Metrics(View(empty.index, folder, empty.clock, StatusSettings(), no_scheduler())).exposition("")[0].decode()
    assert "pageviews_store_free_bytes " in told
    assert "pageviews_store_size_bytes " in told


def test_traffic_names_the_largest_projects_and_adds_up_the_others(empty: _Scraped) -> None:
    def access(*newest: int) -> tuple[AccessTraffic, ...]:
        names = ("desktop", "mobile")
        return tuple(
            AccessTraffic(access=name, hours=(None, count), days=()) for name, count in zip(names, newest, strict=True)
        )

    projects = tuple(ProjectTraffic(project=f"p{number}", access=access(number, 1)) for number in range(30, 5, -1))
    record = Traffic(projects=projects, other=access(1_000, 2_000), definition_changes=())
    body = record.encode()
    empty.store.put("published/traffic/1.json", body)
    digest = hashlib.sha256(body).hexdigest()
    empty.index.add("published", name="traffic", key="published/traffic/1.json", sha256=digest, bytes=len(body))
    views = empty.samples()["pageviews_newest_published_hour_views"]
    assert len(views) == 2 * (20 + 1)
    assert views["desktop/p30"] == 30
    assert views["desktop/other"] == 1_000 + sum(range(6, 11))
    assert sum(views.values()) == 3_000 + sum(range(6, 31)) + 25


def test_posts_to_the_webhook_are_counted_where_there_is_one(empty: _Scraped) -> None:
    assert "pageviews_notification_posts_total" not in empty.samples()
    settings = StatusSettings(webhook_url="http://127.0.0.1:1/")
    view = View(empty.index, empty.store, empty.clock, settings, no_scheduler())
    view.notifications["dropped"] += 1
    told = Metrics(view).exposition("")[0].decode()
    assert 'pageviews_notification_posts_total{outcome="dropped"} 1.0' in told
