"""The pages: rendered here, whole without a script."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from status_api.pages import about, actions, assets, dbt_docs, hours, insights, measures, overview, runs, work
from status_api.pages.render import STATIC

routers: tuple[APIRouter, ...] = tuple(
    module.router for module in (overview, hours, runs, assets, dbt_docs, work, measures, insights, about, actions)
)


class _KeptFiles(StaticFiles):
    """Asked for by their content's digest: they never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def mount_static(app: FastAPI) -> None:
    app.mount("/static", _KeptFiles(directory=STATIC), name="static")
