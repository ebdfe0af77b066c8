"""The runs, one of them, and its log."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pageviews_core.records.run import Job, Trigger
from status_api.api.answering import HourText, parsed
from status_api.logs.reading import Level, read_log
from status_api.pages.charts import timeline
from status_api.pages.render import cached, page, view_of
from status_api.queries.answers import RunState
from status_api.queries.runs import NodeOutcome, RunDetail, list_runs, read_run

router = APIRouter(include_in_schema=False)

_RUNS = 50
_LINES = 500


@router.get("/runs")
def runs_page(
    request: Request,
    job: Job | None = None,
    state: RunState | None = None,
    trigger: Trigger | None = None,
    hour: HourText | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    runs = list_runs(
        view, job=job, states=(state,) if state else (), trigger=trigger, hour=parsed(hour), limit=_RUNS, cursor=cursor
    )
    chosen = {"job": job, "state": state, "trigger": trigger, "hour": hour}
    query = {name: value for name, value in chosen.items() if value}
    older = urlencode({**query, "cursor": runs.next_cursor}) if runs.next_cursor else None
    return page(request, "runs.html", runs=runs.items, chosen=chosen, query=urlencode(query), older=older)


@router.get("/runs/{run_id}")
def run_page(request: Request, run_id: str) -> Response:
    if found := cached(request):
        return found
    detail = read_run(view_of(request), run_id)
    return page(
        request, "run.html", detail=detail, run=detail.summary, steps=_steps(detail), nodes=_nodes(detail.nodes)
    )


@router.get("/runs/{run_id}/log")
def log_page(
    request: Request,
    run_id: str,
    line: Annotated[int | None, Query(ge=1, le=10**12)] = None,
    level: Level | None = None,
    step: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    view = view_of(request)
    filters = {"level": level, "step": step or None, "model": model or None, "search": search or None}
    start = line if line is not None or not any(filters.values()) else 1
    log = read_log(
        view, run_id, start=start, limit=_LINES, level=level, step=filters["step"], model=filters["model"],
        search=filters["search"],
    )  # fmt: skip
    query = {name: value for name, value in filters.items() if value}
    shown = log.lines[0].number if log.lines else line or 1
    earlier = max(1, shown - _LINES) if shown > 1 else None
    return page(
        request, "log.html", run_id=run_id, log=log, filters=filters, line=line,
        more=urlencode({**query, "line": log.next_line}) if log.next_line else None,
        earlier=urlencode({**query, "line": earlier}) if earlier else None,
        query=urlencode(query),
    )  # fmt: skip


def _steps(detail: RunDetail) -> object:
    begin = detail.summary.started_at
    bars = [
        (
            step.name, (step.started_at - begin).total_seconds(), step.seconds,
            "good" if step.succeeded else "bad",
        )
        for step in detail.steps
    ]  # fmt: skip
    return timeline(bars, "Steps of the run, by the seconds since it began") if bars else ""


def _nodes(nodes: tuple[NodeOutcome, ...]) -> object:
    """Models and seeds; of tests only those that found something."""
    told = [
        node
        for node in nodes
        if node.started_at and (node.kind in ("model", "seed") or (node.kind == "test" and node.status != "pass"))
    ]
    if not told:
        return ""
    begin = min(node.started_at for node in told if node.started_at)
    bars = [
        (
            node.name, (node.started_at - begin).total_seconds(), node.seconds,
            "good" if node.status in ("success", "pass") else "warned" if node.status == "warn" else "bad",
        )
        for node in told
        if node.started_at
    ]  # fmt: skip
    return timeline(bars, "dbt's models, by the seconds since the first began")
