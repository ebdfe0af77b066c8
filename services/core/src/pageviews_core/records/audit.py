"""Who changed what, or wanted to."""

from __future__ import annotations

from typing import Literal

from pageviews_core.records.base import Record, Timestamp


class AuditEntry(Record):
    id: str
    at: Timestamp
    who: str
    role: str
    address: str | None
    """Where the request came from."""
    action: str
    target: str
    outcome: Literal["done", "refused", "failed"]
    detail: str
