"""What a browser gets where an API client gets problem+json."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from status_api.pages.render import page


def html_problem(request: Request, status: HTTPStatus, detail: str | None) -> Response:
    if not hasattr(request.state, "view") or not hasattr(request.state, "actor"):
        return PlainTextResponse(f"{status.value} {status.phrase}\n{detail or ''}\n", status)
    return page(request, "problem.html", status=status, problem=status, detail=detail)
