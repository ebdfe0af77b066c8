"""What somebody outside was told of a problem, so that each message goes out once, whatever the number of replicas."""

from __future__ import annotations

from typing import Literal

from pageviews_core.records.base import Record, Timestamp


class Notification(Record):
    """Of one cause. It is deleted once its end was told."""

    cause: str
    id: str
    """ULID; the messages' ids are made of it, so that a receiver knows one that comes twice."""
    state: Literal["firing", "told", "resolving"]
    """`firing` and `resolving`: a replica has taken it on itself to send that message."""
    title: str
    since: Timestamp
    claimed_at: Timestamp
    """By whoever sends; after a while another replica may take over."""
    attempts: int
