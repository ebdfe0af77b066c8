"""The port: what a scheduler can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from pageviews_core.records.end import End
from pageviews_core.records.run import Job


@dataclass(frozen=True, slots=True)
class Trouble:
    """A pod that does not start, or a Job that gets none: live, gone when it is mended."""

    job: Job
    kind: Literal["cannot_start", "cannot_be_scheduled", "refused"]
    reason: str
    """The platform's word: `ImagePullBackOff`, `FailedCreate`, `Unschedulable`, …"""
    detail: str
    name: str
    """Of the pod, or of the Job that has none."""
    since: datetime


@dataclass(frozen=True, slots=True)
class CronJob:
    """What the platform itself knows of a job's schedule."""

    name: str
    exists: bool
    cron: str | None = None
    """Five fields, UTC."""
    suspended: bool = False
    """By `spec.suspend`, which is not the switch on the page."""
    last_scheduled_at: datetime | None = None
    starting_deadline_seconds: int = 0
    running: tuple[str, ...] = ()
    """Names of its Jobs that have not ended."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the platform."""

    cron_jobs: dict[Job, CronJob] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()
    ends: tuple[End, ...] = ()
    blind_spots: tuple[str, ...] = ()
    """What could not be seen, and why: one line each."""


class CannotStart(Exception):
    """The platform refused to start a job, or did not answer; says why."""


class Scheduler(Protocol):
    kind: Literal["watch", "kubernetes"]

    def look(self, now: datetime) -> Seen:
        """Never raises what the platform does: `blind_spots` says it."""
        ...

    def start(self, job: Job, request_id: str) -> str:
        """Starts the job now, for a request; the same request again starts nothing. Returns its name on the platform.

        Raises CannotStart.
        """
        ...

    def command(self, job: Job, request_id: str) -> str | None:
        """What a person types to the same end; None where there is no such thing."""
        ...


class WatchScheduler:
    """Each job's own loop: nothing to look at, and a request is taken within seconds."""

    kind: Literal["watch", "kubernetes"] = "watch"

    def look(self, now: datetime) -> Seen:  # noqa: ARG002 - there is nothing to look at
        return Seen()

    def start(self, job: Job, request_id: str) -> str:  # noqa: ARG002 - it has no say
        raise CannotStart("the job's own watch takes requests within seconds")

    def command(self, job: Job, request_id: str) -> str | None:  # noqa: ARG002 - nothing needs typing
        return None
