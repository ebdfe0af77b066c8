"""How long, how large and how good: trends over runs, and the quality of the hours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pageviews_core.records.run import Job
from status_api.pages.charts import line_chart
from status_api.pages.render import cached, page, view_of
from status_api.queries.quality import read_quality
from status_api.queries.runs import TrendPoint, list_runs, trends
from status_api.view import View

router = APIRouter(include_in_schema=False)

_POINTS = 120
_HOURS = 100
_FEWEST = 2
"""Points that make a line."""


@router.get("/trends")
def trends_page(
    request: Request, job: Job = "ingestor", last: Annotated[int, Query(ge=_FEWEST, le=500)] = _POINTS
) -> Response:
    if found := cached(request):
        return found
    points = trends(view_of(request), job, limit=last)
    charts = _charts(points) if len(points) >= _FEWEST else []
    charts += _credits(view_of(request), job, last)
    return page(request, "trends.html", points=points, charts=charts, job=job, last=last)


@router.get("/quality")
def quality_page(request: Request) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    failed = list_runs(view, states=["failed"], limit=20)
    return page(request, "quality.html", quality=read_quality(view, limit=_HOURS), failed=failed.items)


def _charts(points: list[TrendPoint]) -> list[tuple[str, object]]:
    first, last = f"{points[0].started_at:%d %b %H:%M}", f"{points[-1].started_at:%d %b %H:%M}"

    def chart(name: str, unit: str, values: list[float | None], scale: float = 1) -> tuple[str, object]:
        scaled = [None if value is None else round(value / scale, 3) for value in values]
        drawn = line_chart([(name, scaled)], f"{name} by run", unit=unit, first=first, last=last, with_median=True)
        return name, drawn

    steps = sorted({step for point in points for step in point.steps})
    by_step = [(step, [point.steps.get(step) for point in points]) for step in steps]
    return [
        chart("Seconds per hour of data", "s", [point.seconds_per_hour for point in points]),
        ("Seconds by step", line_chart(by_step, "Seconds by step", unit="s", first=first, last=last)),
        chart("Peak memory", "MiB", [float(point.peak_memory) for point in points], 2**20),
        chart("Rows", "rows", [float(point.rows) for point in points]),
        chart("Downloaded", "MB", [float(point.bytes) for point in points], 1e6),
    ]


def _credits(view: View, job: Job, last: int) -> list[tuple[str, object]]:
    """Where the warehouse is paid by its time: what an hour took of it, by the hours' order."""
    column = "ingest_credits" if job == "ingestor" else "transform_credits"
    rows = view.index.rows(
        f"select hour, {column} as credits from hours where {column} is not null order by hour desc limit ?", last
    )[::-1]
    if len(rows) < _FEWEST:
        return []
    name, thousandths = "Estimated cost per hour of data", [round(1000 * row["credits"], 3) for row in rows]
    chart = line_chart(
        [(name, thousandths)], f"{name}, by hour", unit="thousandths of a credit", first=rows[0]["hour"],
        last=rows[-1]["hour"], with_median=True,
    )  # fmt: skip
    return [(name, chart)]
