"""What all answers of the API have in common: an ETag, a Link to the next page, CSV where a list is asked for so."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from pydantic.functional_validators import AfterValidator
from pydantic_core import to_jsonable_python

from pageviews_core.hour import Hour
from status_api.problems import described
from status_api.queries.answers import NoTable, Page
from status_api.view import View

MOST_ITEMS = 1_000
_VOLATILE = {"at", "lag_seconds", "sentence", "index_read", "index_known", "store_seen_at", "next_ticks"}
"""Fields that change by themselves: an ETag is of the rest."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: described("A token is needed, or the one given is not valid"),
    404: described("There is no such thing"),
    422: described("A parameter, the cursor or the body is not right; `errors` says which"),
    500: described("A bug: the service's log has it"),
    503: described("The object store did not give what this needs"),
}
CHANGING: dict[int | str, dict[str, Any]] = {
    **PROBLEMS,
    403: described("Only an operator may change anything"),
    413: described("The body is too large"),
}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Still what If-None-Match names"}}
LISTED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""What a list gives besides JSON."""


class Format(StrEnum):
    json = "json"
    csv = "csv"


def _an_hour(text: str) -> str:
    Hour.parse(text)  # a ValueError says how it is written
    return text


HourText = Annotated[
    str,
    AfterValidator(_an_hour),
    Query(description="A UTC hour by its start, `YYYY-MM-DDTHH`", examples=["2026-11-20T09"], max_length=13),
]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Most items of a page")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before; same filters")]
As = Annotated[Format, Query(alias="format", description="`csv` gives the page's items as a table")]


def _shape(
    form: Annotated[Format, Query(alias="format", description="`csv` gives one table of the answer")] = Format.json,
    table: Annotated[
        str,
        Query(max_length=100, description="With `csv`: which list of the answer, by its path", examples=["steps"]),
    ] = "",
) -> str | None:
    return table if form is Format.csv else None


Shape = Annotated[str | None, Depends(_shape)]
"""The table that is asked for as CSV; None for the whole answer as JSON."""


def parsed(text: str | None) -> Hour | None:
    return Hour.parse(text) if text else None


def _view(request: Request) -> View:
    view = request.state.view
    assert isinstance(view, View)
    view.wanted()
    return view


Looking = Annotated[View, Depends(_view)]


def one(request: Request, answer: BaseModel | tuple[BaseModel, ...] | None, table: Shape = None) -> Response:
    """JSON with an ETag, or 304; of a table, CSV. Raises NoTable."""
    if table is not None:
        return _as_csv(_table(answer, table))
    if isinstance(answer, tuple):
        content = b"[" + b",".join(item.model_dump_json().encode() for item in answer) + b"]"
    else:
        content = b"null" if answer is None else answer.model_dump_json().encode()
    tag = _etag(answer, content)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def many(request: Request, page: Page[Any], form: Format) -> Response:
    """The page, with a Link to the next one."""
    response = _as_csv(page.items) if form is Format.csv else one(request, page)
    if page.next_cursor:
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        target = f"{request.url.path}?{urlencode([*query, ('cursor', page.next_cursor)])}"
        response.headers["Link"] = f'<{target}>; rel="next"'
    return response


def _table(answer: object, path: str) -> tuple[Any, ...]:
    found = answer
    for part in path.split(".") if path else ():
        if isinstance(found, tuple) and part.isascii() and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, BaseModel) and part in type(found).model_fields:
            found = getattr(found, part)
        else:
            raise NoTable(f"there is no {part!r} in {path!r}; tables here: {_tables(answer)}")
        if found is None:
            return ()  # what is null has no rows
    if not isinstance(found, tuple):
        raise NoTable(f"{path!r} is no table; tables here: {_tables(answer)}")
    return found


def _tables(answer: object) -> str:
    fields = type(answer).model_fields if isinstance(answer, BaseModel) else ()
    return ", ".join(name for name in fields if isinstance(getattr(answer, name), tuple)) or "none"


def _as_csv(items: tuple[Any, ...]) -> Response:
    """Of models with their fields' names above, of lists and plain values without."""
    text = io.StringIO()
    writer = csv.writer(text)
    if items and isinstance(items[0], BaseModel):
        writer.writerow(type(items[0]).model_fields)
    for item in items:
        row = item.model_dump(mode="json").values() if isinstance(item, BaseModel) else to_jsonable_python(item)
        writer.writerow(map(_cell, row if isinstance(item, BaseModel | tuple) else [row]))
    return Response(
        text.getvalue(), media_type="text/csv; charset=utf-8", headers={"Cache-Control": "private, no-cache"}
    )


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is made plain."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict | list) for each in value)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _etag(answer: object, content: bytes) -> str:
    if isinstance(answer, BaseModel) and _VOLATILE & type(answer).model_fields.keys():
        content = answer.model_dump_json(exclude=_VOLATILE).encode()
    return f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'


def with_problems(more: Mapping[int | str, dict[str, Any]] | None = None) -> dict[int | str, dict[str, Any]]:
    return {**NOT_MODIFIED, **PROBLEMS, **(more or {})}
