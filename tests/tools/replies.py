"""HTTP answers of the dumps server: a whole file, a part, "not modified", and ways in which an answer can go wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

from tests.tools.published_hours import PublishedFile

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Reply:
    """An answer as it goes over the wire, with what is to go wrong on the way.

    `content_length` is what the header claims when that differs from the body; `cut_after` ends the connection after so
    many bytes of the body; `bytes_per_second` holds the body back.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_length: int | None = None
    cut_after: int | None = None
    bytes_per_second: int | None = None


def refusal(status: int, text: str, **headers: str) -> Reply:
    """A short plain answer; a header's name is given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, f"{text}\n".encode(), {"Content-Type": "text/plain; charset=utf-8", **named})


def reply_with_file(file: PublishedFile, request: Message) -> Reply:
    """200, 206, 304 or 416, as RFC 9110 asks: a validator that names a tag counts before one that names a date."""
    headers = {
        "Content-Type": file.content_type,
        "ETag": file.etag,
        "Last-Modified": http_date(file.modified_at),
        "Accept-Ranges": "bytes",
    }
    if _has_this_already(file, request):
        return Reply(HTTPStatus.NOT_MODIFIED, headers={"ETag": file.etag, "Last-Modified": headers["Last-Modified"]})
    if not _range_holds(file, request):
        return Reply(HTTPStatus.OK, file.content, headers)
    size = len(file.content)
    span = _span(request["Range"], size)
    if span is None:
        return Reply(HTTPStatus.OK, file.content, headers)
    if not span:
        return Reply(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    return Reply(HTTPStatus.PARTIAL_CONTENT, file.content[span.start : span.stop], headers)


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _has_this_already(file: PublishedFile, request: Message) -> bool:
    if tags := request["If-None-Match"]:
        return tags.strip() == "*" or file.etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))
    since = _date(request["If-Modified-Since"])
    return since is not None and file.modified_at <= since


def _range_holds(file: PublishedFile, request: Message) -> bool:
    if not request["Range"]:
        return False
    condition = request["If-Range"]
    return condition is None or condition in (file.etag, http_date(file.modified_at))


def _span(header: str, size: int) -> range | None:
    """The bytes asked for; an empty range if there are none such, None for a header that this server may ignore."""
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(int(last) + 1, size) if last else size)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
