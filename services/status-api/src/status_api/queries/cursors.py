"""Where a page of a list ends: opaque text that only the same question takes back."""

from __future__ import annotations

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from status_api.queries.answers import BadCursor

_DIGEST = 8
_LONGEST = 500


def cursor_after(question: object, *position: str) -> str:
    """`position` is the sort key of the last row given; `question` the filters and the order, as JSON can hold them."""
    return urlsafe_b64encode(json.dumps([_digest(question), *position]).encode()).decode().rstrip("=")


def position_of(question: object, cursor: str) -> list[str]:
    """Raises BadCursor for a cursor of another question, and for any other text."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long")
        content = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        digest, *position = map(str, content)
    except (ValueError, TypeError, binascii.Error) as exc:
        raise BadCursor("the cursor is not one that was given out; begin without one") from exc
    if digest != _digest(question) or not position:
        raise BadCursor("the cursor belongs to another question; begin without one when the filters change")
    return position


def _digest(question: object) -> str:
    return hashlib.sha256(json.dumps(question, default=str, sort_keys=True).encode()).hexdigest()[:_DIGEST]
