"""Errors as problem+json (RFC 9457), or as a page for a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pageviews_core.errors import PageviewsError
from status_api.queries.answers import BadCursor, NoTable, NotFound

MEDIA_TYPE = "application/problem+json"
_INPUT_SHOWN = 100

log = structlog.get_logger()


class InvalidInput(BaseModel):
    where: str
    what: str


class ProblemDetails(BaseModel):
    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: tuple[InvalidInput, ...] | None = None
    """For 422: each parameter or field that is wrong."""


HtmlProblem = Callable[[Request, HTTPStatus, str | None], Response]


def problem(
    status: HTTPStatus, detail: str | None = None, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    content = ProblemDetails(title=status.phrase, status=status, detail=detail).model_dump(exclude_none=True)
    return JSONResponse({**content, **more}, status, headers, MEDIA_TYPE)


def described(description: str) -> dict[str, Any]:
    """For a route's `responses`: FastAPI's own way to name a model would promise plain JSON besides."""
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }


def answer_with_problems(app: FastAPI, as_page: HtmlProblem) -> None:
    """For what no route answers, for what its parts raise, and for bugs: those say no more than that; the server logs
    the traceback. Outside the API a browser gets a page."""

    def answer(
        request: Request, status: HTTPStatus, detail: str | None, headers: dict[str, str] | None = None, **more: Any
    ) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
        if not wants_page or request.method not in ("GET", "HEAD", "POST"):
            return problem(status, detail, headers, **more)
        response = as_page(request, status, detail)
        response.headers.update(headers or {})
        return response

    def refused(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        status = HTTPStatus(exc.status_code)
        detail = None if exc.detail == status.phrase else exc.detail
        return answer(request, status, detail, dict(exc.headers or {}))

    def invalid(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)
        errors = [
            {"where": ".".join(map(str, error["loc"])), "what": _plain(str(error["msg"]))} for error in exc.errors()
        ]
        told = "; ".join(f"{error['where']}: {error['what']}" for error in errors[:3])
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=errors)

    def not_found(request: Request, exc: Exception) -> Response:
        return answer(request, HTTPStatus.NOT_FOUND, str(exc))

    def unprocessable(request: Request, exc: Exception) -> Response:
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))

    def unavailable(request: Request, exc: Exception) -> Response:
        log.error("request_failed", path=request.url.path, error_type=type(exc).__name__, error=str(exc))
        detail = f"the object store did not give what this needs ({type(exc).__name__})"
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "10"})

    def bug(request: Request, __: Exception) -> Response:
        return answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, None)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(NotFound, not_found)
    app.add_exception_handler(BadCursor, unprocessable)
    app.add_exception_handler(NoTable, unprocessable)
    app.add_exception_handler(PageviewsError, unavailable)
    app.add_exception_handler(Exception, bug)


def _plain(message: str) -> str:
    return re.sub(r"^Value error, ", "", message)[: _INPUT_SHOWN * 3]
