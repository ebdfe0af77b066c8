"""One hour, and one day."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from starlette.responses import Response

from pageviews_core.hour import Hour
from status_api.pages.overview import SHAPES, label_of
from status_api.pages.render import cached, page, view_of
from status_api.queries.answers import NotFound
from status_api.queries.hours import grid, read_hour
from status_api.queries.remedies import OF_WARNINGS

router = APIRouter(include_in_schema=False)


@router.get("/hours/{hour}")
def hour_page(request: Request, hour: str) -> Response:
    if found := cached(request):
        return found
    try:
        parsed = Hour.parse(hour)
    except ValueError as exc:
        raise NotFound(str(exc)) from exc
    detail = read_hour(view_of(request), parsed)
    return page(request, "hour.html", detail=detail, hour=detail.summary, explained=OF_WARNINGS, shapes=SHAPES)


@router.get("/days/{day}")
def day_page(request: Request, day: date) -> Response:
    if found := cached(request):
        return found
    ((_, cells),) = grid(view_of(request), day, 1)
    hours = [cell for cell in cells if cell is not None]
    if not hours:
        raise NotFound(f"{day} has no hour of this pipeline")
    whole = len(hours) == 24 and all(cell.views is not None for cell in hours)
    return page(
        request, "day.html", day=day, hours=hours, whole=whole, label=label_of, shapes=SHAPES,
        views=sum(cell.views or 0 for cell in hours), rows=sum(cell.rows or 0 for cell in hours),
        rejected=sum(cell.rejected or 0 for cell in hours),
    )  # fmt: skip
