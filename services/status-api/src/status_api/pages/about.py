"""The audit trail, what runs here, the search, and what other programs show of it."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour
from status_api.access.guards import actor_of
from status_api.pages.filters import article_path
from status_api.pages.render import cached, page, view_of
from status_api.queries.assets import list_assets
from status_api.queries.insights import read_top, read_trending
from status_api.queries.notes import list_audit
from status_api.queries.status import Status, duration, read_status
from status_api.view import View

router = APIRouter(include_in_schema=False)

_ENTRIES = 100
_HITS = 30
_SECRET = {"session_key", "one_time_sign_in", "webhook_url", "webhook_secret"}
_HOUR_TEXT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T /]?(\d\d)(?::?00)*Z?")
_RUN_TEXT = re.compile(r"[0-9A-HJKMNP-TV-Z]{6,26}")
_COLOURS = {"ok": "#2e7d32", "degraded": "#8a6100", "failing": "#b3261e", "unknown": "#5f6368"}


class Hit(NamedTuple):
    kind: str
    name: str
    path: str


@router.get("/audit")
def audit_page(request: Request, cursor: Annotated[str | None, Query(max_length=500)] = None) -> Response:
    if found := cached(request):
        return found
    may_see = actor_of(request).may_change
    entries = list_audit(view_of(request), limit=_ENTRIES, cursor=cursor, with_addresses=may_see)
    return page(request, "audit.html", entries=entries.items, older=entries.next_cursor)


@router.get("/about")
def about_page(request: Request) -> Response:
    view = view_of(request)
    settings = [
        (name, "set, and not shown" if name in _SECRET and value else value)
        for name, value in view.settings.model_dump().items()
    ]
    return page(request, "about.html", settings=settings, index=view.index, store=view.index.store)


@router.get("/search")
def search_page(request: Request, q: Annotated[str, Query(max_length=300)] = "") -> Response:
    view, wanted = view_of(request), q.strip()
    hits = find(view, wanted) if wanted else []
    if len(hits) == 1:
        return RedirectResponse(hits[0].path, 303)
    return page(request, "search.html", q=wanted, hits=hits)


def find(view: View, wanted: str) -> list[Hit]:
    """An hour, a run by the beginning of its id, an asset, an article."""
    hits = [*_hours(wanted), *_runs(view, wanted.upper())]
    try:
        names = [asset.name for asset in list_assets(view) if wanted.casefold() in asset.name.casefold()]
        hits += [Hit("asset", name, f"/assets/{name}") for name in names]
        hits += _articles(view, wanted)
    except PageviewsError:
        pass  # the store is down: what the index knows is found all the same
    exact = [hit for hit in hits if hit.name.casefold() == wanted.casefold()]
    return exact if len(exact) == 1 else hits[:_HITS]


@router.get("/badge.svg")
def badge(request: Request) -> Response:
    status = read_status(view_of(request))
    text = (
        f"{status.health}, {duration(status.lag_seconds)} behind" if status.lag_seconds is not None else status.health
    )
    width = 70 + 7 * len(text)
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(width), height="20", role="img")
    SubElement(svg, "title").text = f"pageviews: {text}"
    SubElement(svg, "rect", width="70", height="20", fill="#444")
    SubElement(svg, "rect", x="70", width=str(width - 70), height="20", fill=_COLOURS[status.health])
    for x, words in ((6, "pageviews"), (76, text)):
        label = SubElement(svg, "text", {"x": str(x), "y": "14", "fill": "#fff", "font-family": "sans-serif"})
        label.set("font-size", "12")
        label.text = words
    return _tagged(request, tostring(svg), "image/svg+xml")


@router.get("/problems.atom")
def feed(request: Request) -> Response:
    return _tagged(
        request, _atom(read_status(view_of(request)), str(request.base_url).rstrip("/")), "application/atom+xml"
    )


def _atom(status: Status, base: str) -> bytes:
    feed_ = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    SubElement(feed_, "id").text = f"{base}/problems.atom"
    SubElement(feed_, "title").text = "Problems of the pageviews pipeline"
    SubElement(feed_, "link", href=f"{base}/problems.atom", rel="self")
    newest = max((problem.since for problem in status.problems if problem.since), default=None)
    SubElement(feed_, "updated").text = f"{newest or status.at.replace(hour=0, minute=0, second=0):%Y-%m-%dT%H:%M:%SZ}"
    author = SubElement(feed_, "author")
    SubElement(author, "name").text = "pageviews-status-api"
    for problem in status.problems:
        entry = SubElement(feed_, "entry")
        since = problem.since or status.at.replace(hour=0, minute=0, second=0)
        digest = hashlib.sha256(f"{problem.cause} {since:%Y-%m-%dT%H:%M:%SZ}".encode()).hexdigest()[:16]
        SubElement(entry, "id").text = f"{base}/problems/{digest}"
        SubElement(entry, "title").text = problem.title
        SubElement(entry, "updated").text = f"{since:%Y-%m-%dT%H:%M:%SZ}"
        target = f"/hours/{problem.hours[0]}" if problem.hours else f"/runs/{problem.run}" if problem.run else "/"
        SubElement(entry, "link", href=base + target)
        SubElement(entry, "summary").text = f"{problem.detail} {problem.remedy}"
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(feed_)


def _tagged(request: Request, content: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _hours(wanted: str) -> list[Hit]:
    match = _HOUR_TEXT.fullmatch(wanted)
    if match is None:
        return []
    try:
        hour = Hour.parse("{}-{}-{}T{}".format(*match.groups()))
    except ValueError:
        return []
    return [Hit("hour", str(hour), f"/hours/{hour}")]


def _runs(view: View, wanted: str) -> list[Hit]:
    if not _RUN_TEXT.fullmatch(wanted):
        return []
    rows = view.index.rows(
        "select id from runs where id >= ? and id < ? order by id desc limit ?", wanted, wanted + "~", _HITS
    )
    return [Hit("run", row["id"], f"/runs/{row['id']}") for row in rows]


def _articles(view: View, wanted: str) -> list[Hit]:
    project, slash, title = wanted.partition("/")
    if slash and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", project) and title:
        name = title.replace(" ", "_")
        return [Hit("article", f"{project}/{name}", article_path(project, name))]
    name = wanted.replace(" ", "_").casefold()
    found: dict[tuple[str, str], None] = {}
    trending, top = read_trending(view), read_top(view)
    for period in (trending.hourly, trending.daily) if trending else ():
        for each in period.pages if period else ():
            if name in each.title.casefold():
                found[each.project, each.title] = None
    for listed in (top.hour, top.day) if top else ():
        for of in listed.projects if listed else ():
            found.update({(of.project, each.title): None for each in of.pages if name in each.title.casefold()})
    return [Hit("article", f"{project}/{title}", article_path(project, title)) for project, title in found]
