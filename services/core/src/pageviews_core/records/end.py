"""How the platform ended a pod, or a Job that never got one: written before the platform forgets it."""

from __future__ import annotations

from pageviews_core.records.base import Record, Timestamp
from pageviews_core.records.run import Job


class End(Record):
    id: str
    """The pod's uid; of a Job that has no pod any more, the Job's."""
    job: Job
    job_name: str
    """Of the Kubernetes Job."""
    pod: str | None
    reason: str
    """The platform's word: `OOMKilled`, `Evicted`, `DeadlineExceeded`, `Error`, …"""
    detail: str
    """The platform's message, or the container's last lines."""
    exit_code: int | None
    started_at: Timestamp | None
    at: Timestamp
