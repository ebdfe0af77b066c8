"""What a platform asks: does the process live, can it serve, which version is it?"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from pageviews_core import __version__
from status_api.problems import described, problem
from status_api.readiness import Readiness

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Version(BaseModel):
    service: str = "pageviews-status-api"
    version: str = __version__


def _readiness(request: Request) -> Readiness:
    readiness = request.state.readiness
    assert isinstance(readiness, Readiness)
    return readiness


@router.get("/livez", operation_id="getLiveness")
async def livez() -> Health:
    """The process answers. Touches nothing, so that a slow store never gets it restarted."""
    return Health()


@router.get(
    "/readyz",
    operation_id="getReadiness",
    response_model=Health,
    responses={503: described("The object store cannot be read")},
)
async def readyz(readiness: Annotated[Readiness, Depends(_readiness)]) -> Health | JSONResponse:
    """The object store can be read."""
    reason = await readiness.reason_against()
    if reason is None:
        return Health()
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the object store cannot be read: {reason}")


@router.get("/version", operation_id="getVersion")
async def version() -> Version:
    return Version()
