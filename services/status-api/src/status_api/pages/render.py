"""From a template to an answer: the same page for the same state is made once, and sent once."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from pageviews_core import __version__
from status_api.access.guards import access_of, actor_of, csrf_token, reason_against
from status_api.pages.filters import FILTERS, article_path
from status_api.queries.status import read_status
from status_api.view import View

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
_ENTRIES, _BYTES = 64, 8 * 1024 * 1024

NAVIGATION = (
    ("/", "Overview"), ("/grid", "Grid"), ("/runs", "Runs"), ("/assets", "Assets"), ("/lineage", "Lineage"),
    ("/schedules", "Schedules"), ("/requests", "Requests"), ("/trends", "Trends"), ("/quality", "Quality"),
    ("/insights", "Insights"), ("/audit", "Audit"), ("/about", "About"),
)  # fmt: skip


class PageCache:
    """The pages rendered last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
            return self._pages.get(key)

    def put(self, key: tuple[object, ...], page: bytes) -> None:
        with self._lock:
            self._bytes += len(page) - len(self._pages.pop(key, b""))
            self._pages[key] = page
            while self._bytes > _BYTES or len(self._pages) > _ENTRIES:
                self._bytes -= len(self._pages.popitem(last=False)[1])


def view_of(request: Request) -> View:
    """Somebody looks: the index follows the store closely for a minute."""
    view = request.state.view
    assert isinstance(view, View)
    view.wanted()
    return view


def cached(request: Request) -> Response | None:
    """The page as it was rendered for this state and minute, or 304; None where it has to be rendered."""
    found = _cache(request).get(_key(request))
    return _answer(request, found, 200) if found is not None else None


def page(request: Request, template: str, *, status: int = 200, forms: bool = False, **context: Any) -> Response:
    """Rendered with what every page shows. `status` 200 is kept for whoever asks next. `forms`: it has forms that
    whoever may change nothing can send all the same."""
    view = view_of(request)
    key = _key(request)
    content = (
        environment()
        .get_template(template)
        .render(
            **context,
            actor=actor_of(request),
            may_sign_in=access_of(request).may_sign_in,
            reason=reason_against(request),
            csrf=csrf_token(request) if forms else _csrf(request),
            now=view.now(),
            path=request.url.path,
            base=str(request.base_url).rstrip("/"),
            navigation=NAVIGATION,
            status=read_status(view),
            version=__version__,
        )
        .encode()
    )
    if status == 200 and not forms and request.method in ("GET", "HEAD"):
        _cache(request).put(key, content)
    return _answer(request, content, status)


def _answer(request: Request, content: bytes, status: int) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if status == 200 and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(content, status, headers)


def _key(request: Request) -> tuple[object, ...]:
    """What a page depends on: its forms carry the token of one visitor or session."""
    view = request.state.view
    store = view.index.store
    return (
        str(request.url), actor_of(request).name, actor_of(request).role, _csrf(request),
        view.version, view.index.filling, store.up, view.now().replace(second=0, microsecond=0),
    )  # fmt: skip


def _csrf(request: Request) -> str:
    """Only who has a session, or may change something, can send a form: all others share one page."""
    actor = actor_of(request)
    return csrf_token(request) if actor.may_change or actor.via == "session" else ""


def _cache(request: Request) -> PageCache:
    cache: PageCache = request.state.view.extracts.get("pages", "cache", PageCache, at_most=1)
    return cache


@lru_cache(maxsize=1)
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(static=static, article_path=article_path)
    made.globals["style"] = Markup(style())  # noqa: S704 - our own file
    return made


@lru_cache(maxsize=16)
def static(name: str) -> str:
    """The address of a file, by its content: it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{digest}"


@lru_cache(maxsize=1)
def style() -> str:
    """The style sheet: within each page, since a second request before anything shows costs a third of the time."""
    return (FOLDER / "style.css").read_text("utf-8")


def style_digest() -> str:
    """As Content-Security-Policy names what it lets through."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
