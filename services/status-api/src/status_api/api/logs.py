"""A run's log: in pages, whole, and live."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from status_api.api.answering import Looking, one, with_problems
from status_api.logs.reading import MOST_LINES, POLL_SECONDS, Level, LogLine, LogPage, follow, raw_log, read_log
from status_api.problems import described, problem

router = APIRouter(tags=["runs"], responses=with_problems())

MOST_LISTENERS = 20
_listeners = threading.BoundedSemaphore(MOST_LISTENERS)

RunId = Annotated[str, Path(max_length=26, description="A run's ULID")]


@router.get("/runs/{run_id}/logs", operation_id="getLog", response_model=LogPage)
def get_log(
    request: Request,
    view: Looking,
    run_id: RunId,
    start: Annotated[
        int | None, Query(ge=1, le=10**12, description="Line; default: the first error, or the end")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 500,
    level: Level | None = None,
    step: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """A search that takes long stops with `scanned_to`: go on with `start` one after it."""
    found = read_log(view, run_id, start=start, limit=limit, level=level, step=step, model=model, search=search or None)
    return one(request, found)


@router.get(
    "/runs/{run_id}/logs/raw",
    operation_id="downloadLog",
    response_class=Response,
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}, "description": "JSON lines"}},
)
def download_log(view: Looking, run_id: RunId) -> Response:
    """As it is stored: one JSON object a line."""
    pieces = raw_log(view, run_id)
    name = f'attachment; filename="{run_id}.jsonl"'
    return StreamingResponse(pieces, media_type="application/jsonl", headers={"Content-Disposition": name})


@router.get(
    "/runs/{run_id}/logs/live",
    operation_id="followLog",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events"},
        503: described("Too many follow logs at this moment, or the store did not answer"),
    },
)
def follow_log(
    view: Looking,
    run_id: RunId,
    after: Annotated[int, Query(ge=0, le=10**12, description="The last line that is known")] = 0,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """The earlier lines first, then each as it comes. Its line's number is an event's id; `end` is the last event."""
    if not _listeners.acquire(blocking=False):
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many follow logs already", {"Retry-After": "30"})
    try:
        known = int(last_event_id) if last_event_id and last_event_id.isdecimal() else after
        lines = follow(view, run_id, known, wait=_wait_elsewhere)
        first = next(lines, _END)  # what cannot be followed is said before the stream begins
    except BaseException:
        _listeners.release()
        raise
    return StreamingResponse(_events(first, lines), media_type="text/event-stream")


_END = object()


def _wait_elsewhere(_: float) -> None:
    """Not in a thread: those are few, and answer all other requests."""


async def _events(first: object, lines: Iterator[LogLine | None]) -> AsyncIterator[bytes]:
    try:
        if first is not _END:
            yield _event(first)
            async for line in iterate_in_threadpool(lines):
                yield _event(line)
                if line is None:
                    await asyncio.sleep(POLL_SECONDS)
        yield b"event: end\ndata: {}\n\n"
    finally:
        _listeners.release()


def _event(line: object) -> bytes:
    if not isinstance(line, LogLine):
        return b": nothing new\n\n"
    return f"id: {line.number}\ndata: {line.model_dump_json()}\n\n".encode()
