"""One request, from where it lies: open or closed."""

from __future__ import annotations

import re

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.records.request import ClosedRequest, Request
from status_api.queries.answers import NotFound
from status_api.view import View

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def read_record(view: View, request_id: str) -> tuple[Request, ClosedRequest | None]:
    """Raises NotFound, also for a request that cannot be read."""
    if not _ID.fullmatch(request_id):
        raise NotFound("no request has such an id")
    try:
        closed = view.journal.read(keys.closed_request(request_id), ClosedRequest)
        if closed:
            return closed[0].request, closed[0]
        found = view.journal.read(keys.open_request(request_id), Request)
    except UnknownSchemaVersion as exc:
        raise NotFound(f"the request {request_id} cannot be read: {exc}") from exc
    if found is None:
        raise NotFound(f"there is no request {request_id}")
    return found[0], None
