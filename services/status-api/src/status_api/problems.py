"""Errors as problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None


def problem(status: HTTPStatus, detail: str | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
    content = Problem(title=status.phrase, status=status, detail=detail).model_dump(exclude_none=True)
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def described(description: str) -> dict[str, Any]:
    """For a route's `responses`: FastAPI's own way to name a model would promise plain JSON besides."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}


def answer_with_problems(app: FastAPI) -> None:
    """For what no route answers, and for bugs: those say no more than that; the server logs the traceback."""

    def refused(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        status = HTTPStatus(exc.status_code)
        return problem(status, None if exc.detail == status.phrase else exc.detail, dict(exc.headers or {}))

    def bug(_: Request, __: Exception) -> JSONResponse:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, bug)
