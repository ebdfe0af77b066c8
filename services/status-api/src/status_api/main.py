"""The application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypedDict

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from pageviews_core import __version__
from pageviews_core.clock import Clock, SystemClock
from pageviews_core.journal import Journal
from pageviews_core.object_store import open_object_store
from status_api import api, health, metrics, pages
from status_api.access import sign_in
from status_api.access.access import Access
from status_api.access.middleware import Guard
from status_api.api.documents import describe, mount_swagger_ui
from status_api.api.documents import router as documents
from status_api.index.open import open_index
from status_api.pages.errors import html_problem
from status_api.pages.render import style_digest
from status_api.problems import answer_with_problems
from status_api.readiness import Readiness
from status_api.scheduler.open import open_scheduler
from status_api.scheduler.watching import SchedulerWatch
from status_api.settings import StatusSettings
from status_api.view import View

_THREADS = 8
"""That answer requests: the index is fast, and each has a connection to it."""


class State(TypedDict):
    """What every request finds in `request.state`, beside who asks."""

    readiness: Readiness
    view: View


@contextmanager
def _notifying(view: View) -> Iterator[None]:
    settings = view.settings
    if not settings.webhook_url:
        yield
        return
    from status_api.notifying.notifier import Notifier  # the HTTP client is for those who need it
    from status_api.notifying.webhook import Webhook

    with Notifier(view, Webhook(settings), after=settings.webhook_after):
        yield


def create_app(settings: StatusSettings, clock: Clock | None = None) -> FastAPI:
    """Opens no store before it is started; its start raises ConfigurationError for one that cannot be opened.

    Raises ConfigurationError for a bad token file or session key.
    """
    ticking = clock or SystemClock()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        current_default_thread_limiter().total_tokens = _THREADS
        store = open_object_store(settings)
        watch = SchedulerWatch(open_scheduler(settings), Journal(store), ticking, nudges=settings.nudge)
        with open_index(store, settings, ticking) as index, watch as scheduler:
            view = View(index, store, ticking, settings, scheduler)
            with _notifying(view):
                yield {"readiness": Readiness(store), "view": view}

    app = FastAPI(
        title="Wikipedia pageviews pipeline",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
    )
    answer_with_problems(app, html_problem)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(api.router)
    app.include_router(documents)
    app.include_router(sign_in.router)
    for router in pages.routers:
        app.include_router(router)
    mount_swagger_ui(app)
    pages.mount_static(app)
    describe(app)
    app.add_middleware(Guard, access=Access(settings, ticking), style_digest=style_digest())
    return app
