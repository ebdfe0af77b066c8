"""The first page, the grid of hours, and the calendar behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pageviews_core.errors import PageviewsError
from status_api.pages.charts import share_bar
from status_api.pages.render import cached, page, view_of
from status_api.queries.hours import USUALLY_PUBLISHED_AFTER, HourSummary, calendar, grid
from status_api.queries.insights import read_pulse, read_trending
from status_api.queries.schedules import read_schedules

router = APIRouter(include_in_schema=False)

OVERVIEW_DAYS, GRID_DAYS, MOST_DAYS, CALENDAR_DAYS = 7, 28, 35, 365
_TRENDING = 10
SHAPES = {
    "complete": "■", "ingested": "◧", "running": "▶", "waiting": "·", "late": "◷", "failed": "✕", "missing": "□",
    "absent": "∅", "expired": "▫",
}  # fmt: skip
"""A state by its shape: colour alone says nothing to many."""

Grid = list[tuple[date, list[HourSummary | None]]]


@router.get("/")
def overview(request: Request) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    pulse, trending, stale = None, None, False
    try:
        pulse, trending = read_pulse(view), read_trending(view)
    except PageviewsError:
        stale = True
    period = trending and (trending.hourly if trending.hourly and trending.hourly.pages else trending.daily)
    now = view.now()
    coming = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return page(
        request,
        "overview.html",
        grid=[(day, cells) for day, cells in grid(view, now.date(), OVERVIEW_DAYS) if any(cells)],
        label=label_of,
        shapes=SHAPES,
        pulse=pulse,
        period=period,
        trending=period.pages[:_TRENDING] if period else (),
        insights_stale=stale,
        next_published=coming + USUALLY_PUBLISHED_AFTER,
        schedules=read_schedules(view),
    )


@router.get("/grid")
def grid_page(
    request: Request,
    until: date | None = None,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = GRID_DAYS,
) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    last = until or view.now().date()
    earlier = last - timedelta(days=days)
    later = min(last + timedelta(days=days), view.now().date()) if last < view.now().date() else None
    return page(
        request, "grid.html", grid=grid(view, last, days), label=label_of, shapes=SHAPES, last=last, days=days,
        earlier=earlier, later=later,
    )  # fmt: skip


@router.get("/calendar")
def calendar_page(request: Request, until: date | None = None) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    last = until or view.now().date()
    days = calendar(view, last - timedelta(days=CALENDAR_DAYS - 1), last)
    return page(
        request, "calendar.html", days=days, bar=_day_bar, last=last, first=last - timedelta(days=CALENDAR_DAYS)
    )


def label_of(summary: HourSummary) -> str:
    """`20 Nov 09:00 UTC, failed, retry 10:40, rejected lines`."""
    at = summary.hour.started_at
    parts = [f"{at.day} {at:%b %H:%M} UTC", summary.state]
    if summary.state in ("failed", "late") and summary.next_try_at:
        parts.append(f"retry {summary.next_try_at:%H:%M}")
    parts += [warning.replace("_", " ") for warning in summary.warnings]
    if summary.acknowledged_until:
        parts.append("acknowledged")
    return ", ".join(parts)


def _day_bar(states: dict[str, int]) -> object:
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    return share_bar([(state, float(states.get(state, 0))) for state in SHAPES], told)
