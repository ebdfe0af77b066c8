"""What is read, and what is trending; and one article."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from pageviews_core.records.published import AccessTraffic, DefinitionChange, Traffic
from status_api.pages.charts import Mark, line_chart, sparkline
from status_api.pages.render import cached, page, view_of
from status_api.queries.answers import NotFound
from status_api.queries.insights import read_article, read_published, read_pulse, read_top, read_traffic, read_trending

router = APIRouter(include_in_schema=False)

_PAGES = 30


@router.get("/insights")
def insights_page(
    request: Request,
    project: Annotated[str | None, Query(max_length=63)] = None,
    period: Annotated[str, Query(pattern="^(hour|day)$")] = "hour",
) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    published, top, traffic = read_published(view), read_top(view), read_traffic(view)
    chosen = (top.hour if period == "hour" else top.day) if top else None
    projects = [each.project for each in chosen.projects] if chosen else []
    shown = next((each for each in chosen.projects if each.project == project), None) if chosen else None
    if chosen and shown is None and chosen.projects:
        shown = chosen.projects[0]
    return page(
        request,
        "insights.html",
        published=published,
        pulse=read_pulse(view),
        trending=read_trending(view),
        period=period,
        chosen=chosen,
        shown=shown,
        projects=projects,
        traffic=traffic,
        traffic_charts=_traffic(traffic, shown.project if shown else None) if traffic else [],
        spark=_spark,
        most=_PAGES,
    )


@router.get("/articles/{project}/{title:path}")
def article_page(request: Request, project: str, title: str) -> Response:
    if found := cached(request):
        return found
    try:
        article = read_article(view_of(request), project, title)
    except ValueError as exc:
        raise NotFound(str(exc)) from exc
    charts: list[tuple[str, Markup]] = []
    if article.series and article.first_hour:
        hours, days = article.series.hours, article.series.days
        ends = (str(article.first_hour), str(article.first_hour + (len(hours) - 1)))
        charts.append(("Views by hour", _article(hours, "Views by hour", *ends)))
        charts.append(("Views by day", _article(days, "Views by day", article.first_day or "", "the last whole day")))
    return page(request, "article.html", article=article, charts=charts)


def _article(values: tuple[int | None, ...], title: str, first: str, last: str) -> Markup:
    return line_chart([("views", values)], title, unit="views", first=first, last=last)


def _spark(hours: tuple[int | None, ...], label: str) -> Markup:
    return sparkline(hours, label)


def _traffic(traffic: Traffic, project: str | None) -> list[tuple[str, Markup]]:
    first, last = str(traffic.first_hour or ""), "now"
    days_last = ""
    if traffic.first_day:
        days_last = str(traffic.first_day + timedelta(days=max(0, len(traffic.day_hours_present) - 1)))
    found = [("All projects, by hour", _by_access(traffic.total, "hours", first, last, ()))]
    marks = _marks(traffic)
    found.append(
        ("All projects, by day", _by_access(traffic.total, "days", str(traffic.first_day or ""), days_last, marks))
    )
    chosen = next((each for each in traffic.projects if each.project == project), None)
    if chosen:
        found.append((f"{chosen.project}, by hour", _by_access(chosen.access, "hours", first, last, ())))
    return found


def _by_access(access: tuple[AccessTraffic, ...], of: str, first: str, last: str, marks: tuple[Mark, ...]) -> Markup:
    series = [(each.access, getattr(each, of)) for each in access]
    told = f"Views by access, {', '.join(each.access for each in access)}"
    return line_chart(series, told, unit="views", first=first, last=last, marks=marks)


def _marks(traffic: Traffic) -> tuple[Mark, ...]:
    """Where the source began to count otherwise, within the days that are shown."""
    if not traffic.first_day:
        return ()
    days = len(traffic.day_hours_present)

    def at(change: DefinitionChange) -> int:
        assert traffic.first_day
        return (change.earliest - traffic.first_day).days

    return tuple(
        Mark(at(change), f"{change.title}: {change.effect}")
        for change in traffic.definition_changes
        if 0 <= at(change) < days
    )
