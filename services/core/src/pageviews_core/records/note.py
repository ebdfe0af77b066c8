"""An operator's word on an hour: until its end the hour is acknowledged, and in no list of problems."""

from __future__ import annotations

from pageviews_core.hour import Hour
from pageviews_core.records.base import Record, Timestamp


class Note(Record):
    id: str
    hour: Hour
    who: str
    reason: str
    created_at: Timestamp
    until: Timestamp
