"""dbt's own documentation of the project, as the transformer left it."""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request, Response

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectNotFound
from status_api.access.middleware import DBT_DOCS
from status_api.queries.answers import NotFound
from status_api.view import View

router = APIRouter(include_in_schema=False)


@router.get(DBT_DOCS)
def dbt_docs(request: Request) -> Response:
    """One file of some 3 MB, compressed as it is kept. Raises NotFound before the first build."""
    view: View = request.state.view
    kept = max(view.store.list(keys.DBT_DOCS), key=lambda info: info.modified_at, default=None)
    if kept is None:
        raise NotFound("no build has left its documentation yet")
    tag = f'"{kept.key.removeprefix(keys.DBT_DOCS)}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        body, _ = view.store.get(kept.key)
    except ObjectNotFound as exc:
        raise NotFound("a build is putting other documentation in its place: ask again") from exc
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body, headers={**headers, "Content-Encoding": "gzip"}, media_type="text/html")
    return Response(gzip.decompress(body), headers=headers, media_type="text/html")
