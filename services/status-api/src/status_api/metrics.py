"""`/metrics`: the pipeline's state for Prometheus, computed when it is scraped.

What is told of the pipeline comes from objects that are kept for a while only, so all are gauges: a count may fall.
While the store cannot be read, or was not read whole yet, it is left out rather than told wrong.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Lock
from typing import get_args

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pageviews_core import __version__
from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.records.published import AccessTraffic
from pageviews_core.records.run import Job
from status_api.queries.answers import HourState, Warning_
from status_api.queries.insights import read_traffic
from status_api.queries.meta import read_meta
from status_api.queries.schedules import read_schedules
from status_api.view import View

KEPT_SECONDS = 5.0
_PROJECTS = 20
"""Told one by one: `project` must not be a label without a bound."""
_STEPS_AT_MOST = 32
_STEP = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PIPELINES: tuple[Job, ...] = get_args(Job)

router = APIRouter(tags=["health"])


@router.get("/metrics", operation_id="getMetrics", response_class=Response)
def metrics(request: Request) -> Response:
    """The state of the pipeline and of this process, in Prometheus's text format or in OpenMetrics."""
    view: View = request.state.view
    registry = view.extracts.get("metrics", "registry", partial(Metrics, view), at_most=1)
    body, media_type = registry.exposition(request.headers.get("accept", ""))
    return Response(body, media_type=media_type, headers={"Cache-Control": "no-store"})


class Metrics:
    """One registry for one view, instead of the library's own for the whole process."""

    def __init__(self, view: View) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StateCollector(view))
        ProcessCollector(registry=self._registry)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text, and its media type, as the scraper's Accept header asks for it."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class StateCollector(Collector):
    """Computed at most every KEPT_SECONDS, however many ask."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = Lock()
        self._kept: tuple[float, tuple[Metric, ...]] | None = None

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            now = self._view.clock.monotonic()
            if self._kept is None or now - self._kept[0] >= KEPT_SECONDS:
                self._kept = now, tuple(_all(self._view))
            return self._kept[1]


def _all(view: View) -> Iterator[Metric]:
    store, filling = view.index.store, view.index.filling
    build = GaugeMetricFamily("pageviews_build_info", "The version of the status service.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    yield _one("pageviews_store_up", "1: the object store could be read when it was last asked.", store.up)
    yield _one("pageviews_index_complete", "1: the object store was read whole since the start.", filling.complete)
    yield _one("pageviews_index_objects", "Objects read into the index.", filling.read)
    yield _one("pageviews_index_known_objects", "Objects listed for the index, read or not yet.", filling.known)
    if view.settings.webhook_url:
        posts = CounterMetricFamily(
            "pageviews_notification_posts", "Posts of this process to the webhook.", labels=["outcome"]
        )
        for outcome in ("sent", "failed", "dropped"):
            posts.add_metric([outcome], view.notifications[outcome])
        yield posts
    if store.up and filling.complete:
        meta = read_meta(view)
        yield from _hours(view, meta)
        yield from _newest_hour(view, meta)
        yield from _runs(view)
        yield from _last_runs(view)
        yield from _ticks(view)
        yield from _requests(view)
        unreadable = view.index.rows("select count(*) as count from unreadable")[0]["count"]
        yield _one("pageviews_unreadable_objects", "Objects that this version cannot read.", unreadable)
        yield from _store_room(view)
        yield from _traffic(view)


def _hours(view: View, meta: Mapping[str, str]) -> Iterator[Metric]:
    yield _by_name(
        "pageviews_hour_states",
        "Hours of data by their state.",
        "state",
        dict.fromkeys(get_args(HourState), 0),
        {row["state"]: row["count"] for row in view.index.rows("select state, count from hour_states")},
    )
    yield _by_name(
        "pageviews_hour_warnings",
        "Hours of data with a warning, whatever their state.",
        "warning",
        dict.fromkeys(get_args(Warning_), 0),
        {row["warning"]: row["count"] for row in view.index.rows("select warning, count from hour_warnings")},
    )
    [row] = view.index.rows("select count(*) as count from hours where ingested_generation > 1")
    yield _one(
        "pageviews_hour_restatements", "Hours of data that the source served anew after they were loaded.", row["count"]
    )
    now = view.now()
    if newest := meta.get("newest_complete_hour"):
        yield _one(
            "pageviews_newest_complete_hour_timestamp_seconds",
            "End of the newest hour that is complete, since the epoch.",
            Hour.parse(newest).ended_at.timestamp(),
        )
    yield _one(
        "pageviews_expected_hour_timestamp_seconds",
        "End of the newest hour that is over and wanted, published or not, since the epoch.",
        min(Hour.newest_ended(now), view.settings.end or Hour.newest_ended(now)).ended_at.timestamp(),
    )
    # Whatever the hour's state: between two attempts it flips to running and back. Not published yet is no failure.
    [row] = view.index.rows(
        "select min(failing_since) as since from hours where failing_since is not null and failure_kind = 'failed' "
        "and (acknowledged_until is null or acknowledged_until <= ?)",
        _text(now),
    )
    if row["since"]:
        yield _one(
            "pageviews_failing_since_timestamp_seconds",
            "When the hour that has failed longest, and that nobody has acknowledged, first failed, since the epoch.",
            _timestamp(row["since"]),
        )


def _newest_hour(view: View, meta: Mapping[str, str]) -> Iterator[Metric]:
    """Of the newest complete hour; what is not known of it is left out."""
    for row in view.index.rows("select * from hours where hour = ?", meta.get("newest_complete_hour")):
        for name, documentation, column in (
            ("rows", "Rows loaded of the newest complete hour.", "rows"),
            ("views", "Page views in the newest complete hour.", "views"),
            ("bytes", "Size of the source's compressed file of the newest complete hour.", "bytes"),
            ("rejected_lines", "Lines of the newest complete hour that were rejected.", "rejected"),
            ("ingest_seconds", "Time that it took to ingest the newest complete hour.", "ingest_seconds"),
            (
                "transform_seconds",
                "Time from the start of the run that transformed the newest complete hour until its end.",
                "transform_seconds",
            ),
            ("ingest_credits", "Credits that loading the newest complete hour took, estimated.", "ingest_credits"),
            (
                "transform_credits",
                "Credits that building the newest complete hour took, estimated.",
                "transform_credits",
            ),
        ):
            if row[column] is not None:
                yield _one(f"pageviews_newest_complete_hour_{name}", documentation, row[column])
        if row["control_state"] in ("matched", "differs"):
            yield _one(
                "pageviews_newest_complete_hour_differing_domains",
                "Domains of the newest complete hour whose views differ from Wikimedia's control totals.",
                row["differing_domains"] or 0,
            )
        if row["ingested_at"]:
            yield _one(
                "pageviews_source_lateness_seconds",
                "From the end of the newest complete hour until it was ingested.",
                _timestamp(row["ingested_at"]) - Hour.parse(row["hour"]).ended_at.timestamp(),
            )


def _runs(view: View) -> Iterator[Metric]:
    runs = GaugeMetricFamily(
        "pageviews_runs",
        "Runs whose records are kept, those that run now included.",
        labels=["pipeline", "outcome", "trigger"],
    )
    for row in view.index.rows("select job, state, trigger, count from run_counts order by job, state, trigger"):
        runs.add_metric([row["job"], row["state"], row["trigger"]], row["count"])
    failed = _by_pipeline("pageviews_failed_runs_in_a_row", "Runs that failed or were lost since the last good one.")
    for pipeline in _PIPELINES:
        [row] = view.index.rows(
            "select count(*) as count from runs where state in ('failed', 'lost') and job = ? and id > "
            "(select coalesce(max(id), '') from runs where state = 'succeeded' and job = ?)",
            pipeline,
            pipeline,
        )
        failed.add_metric([pipeline], row["count"])
    yield from (runs, failed)


def _last_runs(view: View) -> Iterator[Metric]:
    duration = GaugeMetricFamily(
        "pageviews_last_run_duration_seconds",
        "Duration of the newest run with this outcome.",
        labels=["pipeline", "outcome"],
    )
    finished = GaugeMetricFamily(
        "pageviews_last_run_finished_timestamp_seconds",
        "When the newest run with this outcome ended, since the epoch.",
        labels=["pipeline", "outcome"],
    )
    memory = _by_pipeline("pageviews_last_run_peak_memory_bytes", "Largest resident size of the newest run that ended.")
    per_hour = _by_pipeline(
        "pageviews_last_run_seconds_per_data_hour", "Duration of the newest run that succeeded, by hour of data."
    )
    bytes_per_hour = _by_pipeline(
        "pageviews_last_run_bytes_per_data_hour", "Bytes downloaded by the newest run that succeeded, by hour of data."
    )
    steps = GaugeMetricFamily(
        "pageviews_last_run_step_seconds",
        "Time that the newest run that ended spent in each step.",
        labels=["pipeline", "step"],
    )
    # Only for what there is, and by state (`+job` keeps the other index out): else every run might be looked at.
    pairs = view.index.rows("select distinct job, state from run_counts where count > 0 order by job, state")
    for pipeline in _PIPELINES:
        newest = []
        for outcome in (row["state"] for row in pairs if row["job"] == pipeline and row["state"] != "running"):
            for row in view.index.rows(
                "select * from runs where +job = ? and state = ? order by id desc limit 1", pipeline, outcome
            ):
                newest.append(row)
                if row["seconds"] is not None:
                    duration.add_metric([pipeline, outcome], row["seconds"])
                if row["finished_at"]:
                    finished.add_metric([pipeline, outcome], _timestamp(row["finished_at"]))
                if outcome == "succeeded" and row["hour_count"] and row["seconds"] is not None:
                    per_hour.add_metric([pipeline], row["seconds"] / row["hour_count"])
                    if pipeline == "ingestor":
                        bytes_per_hour.add_metric([pipeline], row["bytes"] / row["hour_count"])
        if newest:
            last = max(newest, key=lambda row: str(row["id"]))
            memory.add_metric([pipeline], last["peak_memory"])
            for step, seconds in _steps(last["steps"]).items():
                steps.add_metric([pipeline, step], seconds)
    yield from (duration, finished, memory, per_hour, bytes_per_hour, steps)


def _steps(text: str) -> dict[str, float]:
    """Seconds by step; the names come from records, so what does not look like one of ours is `other`."""
    seconds: Counter[str] = Counter()
    for name, value in sorted(json.loads(text).items()):
        known = _STEP.fullmatch(name) and len(seconds) < _STEPS_AT_MOST
        seconds[name if known else "other"] += value
    return dict(seconds)


def _ticks(view: View) -> Iterator[Metric]:
    at = _by_pipeline(
        "pageviews_last_tick_timestamp_seconds", "When the job last looked at what is owed, since the epoch."
    )
    owed = _by_pipeline("pageviews_tick_owed", "Hours of data that were owed at the last look.")
    for row in view.index.rows("select job, at, owed from ticks order by job"):
        if row["job"] in _PIPELINES:
            at.add_metric([row["job"]], _timestamp(row["at"]))
            owed.add_metric([row["job"]], row["owed"])
    suspended = _by_pipeline("pageviews_schedule_suspended", "1: somebody switched the job's schedule off.")
    missed = _by_pipeline("pageviews_schedule_missed", "1: the job should have looked, and did not.")
    for schedule in read_schedules(view):
        suspended.add_metric([schedule.job], schedule.suspended or schedule.platform.suspended)
        missed.add_metric([schedule.job], schedule.missed)
    yield from (at, owed, suspended, missed)


def _requests(view: View) -> Iterator[Metric]:
    [row] = view.index.rows("select count(*) as count, min(created_at) as oldest from requests where outcome is null")
    yield _one("pageviews_open_requests", "Requests that are not settled yet.", row["count"])
    if row["oldest"]:
        yield _one(
            "pageviews_oldest_open_request_timestamp_seconds",
            "When the oldest request that is not settled yet was made, since the epoch.",
            _timestamp(row["oldest"]),
        )


def _store_room(view: View) -> Iterator[Metric]:
    """Of a store that is a folder."""
    with suppress(PageviewsError):
        if room := view.store.room():
            yield _one("pageviews_store_free_bytes", "What the object store's disk still takes.", room.free)
            yield _one("pageviews_store_size_bytes", "Size of the object store's disk.", room.total)


def _traffic(view: View) -> Iterator[Metric]:
    """Of the newest published hour: the largest projects, and all the others as one. A missing hour is left out."""
    with suppress(PageviewsError):
        traffic = read_traffic(view)
        if traffic is None:
            return
        views = GaugeMetricFamily(
            "pageviews_newest_published_hour_views",
            "Page views in the newest hour whose results are published, by project and access.",
            labels=["project", "access"],
        )
        shown, rest = traffic.projects[:_PROJECTS], traffic.projects[_PROJECTS:]
        others = Counter[str]()
        for access in (*traffic.other, *(access for project in rest for access in project.access)):
            others[access.access] += _newest(access) or 0
        for project in shown:
            for access in project.access:
                if (count := _newest(access)) is not None:
                    views.add_metric([project.project, access.access], count)
        for name, count in others.items():
            views.add_metric(["other", name], count)
        yield views


def _newest(access: AccessTraffic) -> int | None:
    return access.hours[-1] if access.hours else None


def _one(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _by_pipeline(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=["pipeline"])


def _by_name(name: str, documentation: str, label: str, zeros: Mapping[str, int], counts: Mapping[str, int]) -> Metric:
    """A series for every name there can be, so that one that comes first is seen as a rise."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, count in {**zeros, **counts}.items():
        family.add_metric([value], count)
    return family


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _text(at: datetime) -> str:
    """As the index writes times."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
