"""Everything that can be read."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from pageviews_core.records.published import Pulse, Top, Traffic, Trending
from pageviews_core.records.run import Job, Trigger
from status_api.access.guards import actor_of
from status_api.api.answering import (
    LISTED,
    As,
    Cursor,
    Format,
    HourText,
    Limit,
    Looking,
    Shape,
    many,
    one,
    parsed,
    with_problems,
)
from status_api.problems import problem
from status_api.queries import assets, hours, insights, notes, quality, requests, runs, schedules, status
from status_api.queries.answers import HourState, NotFound, Page, RunState, Warning_

router = APIRouter(responses=with_problems())

RunId = Annotated[str, Path(max_length=26, description="A run's ULID")]
HourPath = Annotated[HourText, Path(description="A UTC hour by its start, `YYYY-MM-DDTHH`")]


@router.get("/status", operation_id="getStatus", tags=["status"], response_model=status.Status, responses=LISTED)
def get_status(request: Request, view: Looking, table: Shape) -> Response:
    """Health, freshness, and what needs somebody, in one answer."""
    return one(request, status.read_status(view), table)


@router.get(
    "/hours", operation_id="listHours", tags=["hours"], response_model=Page[hours.HourSummary], responses=LISTED
)
def list_hours(
    request: Request,
    view: Looking,
    since: HourText | None = None,
    until: HourText | None = None,
    state: Annotated[list[HourState], Query(description="Any of these states")] = [],  # noqa: B006 - FastAPI copies it
    warning: Warning_ | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: As = Format.json,
) -> Response:
    """Newest first; `since` <= hour < `until`."""
    found = hours.list_hours(
        view, since=parsed(since), until=parsed(until), states=state, warning=warning, limit=limit, cursor=cursor
    )
    return many(request, found, form)


@router.get("/hours/{hour}", operation_id="getHour", tags=["hours"], response_model=hours.HourDetail, responses=LISTED)
def get_hour(request: Request, view: Looking, table: Shape, hour: HourPath) -> Response:
    """Every stage and generation of an hour, its attempts, runs, objects and notes."""
    found = parsed(hour)
    assert found
    return one(request, hours.read_hour(view, found), table)


@router.get("/quality", operation_id="getQuality", tags=["hours"], response_model=quality.Quality, responses=LISTED)
def get_quality(
    request: Request,
    view: Looking,
    table: Shape,
    since: HourText | None = None,
    until: HourText | None = None,
    limit: Limit = 100,
) -> Response:
    """Hours with a warning, rejected lines, control totals that differ, dbt's tests that warned, and each generation
    against the one before it; `since` <= hour < `until`, at most `limit` of each, newest hour first."""
    found = quality.read_quality(view, since=parsed(since), until=parsed(until), limit=limit)
    return one(request, found, table)


@router.get("/runs", operation_id="listRuns", tags=["runs"], response_model=Page[runs.RunSummary], responses=LISTED)
def list_runs(
    request: Request,
    view: Looking,
    job: Job | None = None,
    state: Annotated[list[RunState], Query(description="Any of these states")] = [],  # noqa: B006 - as above
    trigger: Trigger | None = None,
    hour: HourText | None = None,
    of_request: Annotated[str | None, Query(alias="request", max_length=26)] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: As = Format.json,
) -> Response:
    """Newest first; `since` <= started_at < `until`."""
    found = runs.list_runs(
        view, job=job, states=state, trigger=trigger, hour=parsed(hour), request=of_request, since=since, until=until,
        limit=limit, cursor=cursor,
    )  # fmt: skip
    return many(request, found, form)


@router.get("/runs/{run_id}", operation_id="getRun", tags=["runs"], response_model=runs.RunDetail, responses=LISTED)
def get_run(request: Request, view: Looking, table: Shape, run_id: RunId) -> Response:
    """Its steps with their times, its error with the trace, and what dbt said of each model and test."""
    return one(request, runs.read_run(view, run_id), table)


@router.get(
    "/assets", operation_id="listAssets", tags=["assets"], response_model=tuple[assets.Asset, ...], responses=LISTED
)
def list_assets(request: Request, view: Looking, table: Shape) -> Response:
    """Of the newest build; empty before the first."""
    return one(request, assets.list_assets(view), table)


@router.get(
    "/assets/{name}", operation_id="getAsset", tags=["assets"], response_model=assets.AssetDetail, responses=LISTED
)
def get_asset(request: Request, view: Looking, table: Shape, name: Annotated[str, Path(max_length=200)]) -> Response:
    return one(request, assets.read_asset(view, name), table)


@router.get("/lineage", operation_id="getLineage", tags=["assets"], response_model=assets.Lineage, responses=LISTED)
def get_lineage(request: Request, view: Looking, table: Shape) -> Response:
    """The graph of assets in layers, sources at the left."""
    return one(request, assets.read_lineage(view), table)


@router.get("/ends", operation_id="listEnds", tags=["runs"], response_model=tuple[runs.PodEnd, ...], responses=LISTED)
def list_ends(request: Request, view: Looking, table: Shape) -> Response:
    """Pods that Kubernetes saw end before they left a run, newest first: what a list of runs cannot show."""
    return one(request, runs.deaths(view), table)


@router.get(
    "/schedules",
    operation_id="listSchedules",
    tags=["schedules"],
    response_model=tuple[schedules.Schedule, ...],
    responses=LISTED,
)
def list_schedules(request: Request, view: Looking, table: Shape) -> Response:
    return one(request, schedules.read_schedules(view), table)


@router.get(
    "/insights", operation_id="getPublished", tags=["insights"], response_model=insights.Published, responses=LISTED
)
def get_published(request: Request, view: Looking, table: Shape) -> Response:
    """Which results are published, and of when."""
    return one(request, insights.read_published(view), table)


@router.get("/insights/pulse", operation_id="getPulse", tags=["insights"], response_model=Pulse, responses=LISTED)
def get_pulse(request: Request, view: Looking, table: Shape) -> Response:
    return _published(request, insights.read_pulse(view), table)


@router.get(
    "/insights/trending", operation_id="getTrending", tags=["insights"], response_model=Trending, responses=LISTED
)
def get_trending(request: Request, view: Looking, table: Shape) -> Response:
    return _published(request, insights.read_trending(view), table)


@router.get("/insights/top", operation_id="getTop", tags=["insights"], response_model=Top, responses=LISTED)
def get_top(request: Request, view: Looking, table: Shape) -> Response:
    return _published(request, insights.read_top(view), table)


@router.get("/insights/traffic", operation_id="getTraffic", tags=["insights"], response_model=Traffic, responses=LISTED)
def get_traffic(request: Request, view: Looking, table: Shape) -> Response:
    return _published(request, insights.read_traffic(view), table)


@router.get(
    "/articles/{project}/{title:path}",
    operation_id="getArticle",
    tags=["insights"],
    response_model=insights.Article,
    responses=LISTED,
)
def get_article(
    request: Request,
    view: Looking,
    table: Shape,
    project: Annotated[str, Path(max_length=63, examples=["en.wikipedia"])],
    title: Annotated[str, Path(max_length=2_000, examples=["Olympic_Games"])],
) -> Response:
    """Its series, where the article is followed; else the SQL that asks the warehouse."""
    try:
        return one(request, insights.read_article(view, project, title), table)
    except ValueError as exc:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))


@router.get(
    "/requests",
    operation_id="listRequests",
    tags=["requests"],
    response_model=Page[requests.RequestSummary],
    responses=LISTED,
)
def list_requests(
    request: Request,
    view: Looking,
    state: Annotated[str | None, Query(pattern="^(open|done|failed|cancelled)$")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: As = Format.json,
) -> Response:
    """Newest first."""
    return many(request, requests.list_requests(view, state=state, limit=limit, cursor=cursor), form)


@router.get(
    "/requests/{request_id}",
    operation_id="getRequest",
    tags=["requests"],
    response_model=requests.RequestDetail,
    responses=LISTED,
)
def get_request(
    request: Request, view: Looking, table: Shape, request_id: Annotated[str, Path(max_length=26)]
) -> Response:
    """With the state, and the run, of each hour."""
    return one(request, requests.read_request(view, request_id), table)


@router.get("/notes", operation_id="listNotes", tags=["notes"], response_model=Page[hours.Note], responses=LISTED)
def list_notes(
    request: Request, view: Looking, limit: Limit = 100, cursor: Cursor = None, form: As = Format.json
) -> Response:
    return many(request, notes.list_notes(view, limit=limit, cursor=cursor), form)


@router.get(
    "/audit",
    operation_id="listAudit",
    tags=["audit"],
    response_model=Page[notes.AuditEntry],
    responses=LISTED,
)
def list_audit(
    request: Request,
    view: Looking,
    who: Annotated[str | None, Query(max_length=200)] = None,
    action: Annotated[str | None, Query(max_length=50)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: As = Format.json,
) -> Response:
    """Every change, and every one that was refused; newest first. Addresses are for operators."""
    found = notes.list_audit(
        view, who=who, action=action, limit=limit, cursor=cursor, with_addresses=actor_of(request).may_change
    )
    return many(request, found, form)


def _published(request: Request, found: Pulse | Trending | Top | Traffic | None, table: str | None) -> Response:
    if found is None:
        raise NotFound("nothing is published yet: the first build does that")
    return one(request, found, table)
