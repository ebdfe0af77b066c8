"""The application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from pageviews_core import __version__
from pageviews_core.object_store import open_object_store
from status_api import health
from status_api.problems import answer_with_problems
from status_api.readiness import Readiness
from status_api.settings import StatusSettings


class State(TypedDict):
    """What every request finds in `request.state`."""

    readiness: Readiness


def create_app(settings: StatusSettings) -> FastAPI:
    """Opens nothing before it is started; its start raises ConfigurationError for a store that cannot be opened."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        store = open_object_store(settings.object_store_url())
        yield {"readiness": Readiness(store)}

    app = FastAPI(
        title="Wikipedia pageviews pipeline",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
    )
    answer_with_problems(app)
    app.include_router(health.router)
    return app
