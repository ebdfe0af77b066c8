"""One attempt at one hour: whether it may be tried, under which lease, and what is left behind if it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import structlog

from ingestor.planning import Picture
from ingestor.units import Unit
from ingestor.wikimedia import DumpsClient
from pageviews_core.errors import (
    ConfigurationError,
    HourError,
    LeaseLost,
    PageviewsError,
    SourceUnavailable,
    Stopped,
    TemporaryError,
)
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.lease import LeaseHeld
from pageviews_core.markers import newest_generation, read_ingested
from pageviews_core.records.control import Recheck
from pageviews_core.records.marker import SourceFile
from pageviews_core.records.request import Progress
from pageviews_core.records.run import HourOutcome, Trigger
from pageviews_core.requests import Requests

if TYPE_CHECKING:
    from ingestor.ingest import Ingest

log = structlog.get_logger()

_OUTAGE = 2
"""So many hours in a row that the source did not serve are an outage: the rest of the tick leaves it alone."""


@dataclass(frozen=True)
class Attempt:
    """What came of one hour."""

    worked: bool = False
    """It cost a download: it counts against the run's number of hours."""
    held: bool = False
    """A live run has it."""
    ingested: Mapping[Hour, int] = field(default_factory=dict)
    error: PageviewsError | None = None


class Attempts:
    """Of one run. An hour's own fault is recorded and the next hour goes on; what no hour can help is raised."""

    def __init__(
        self,
        session: Session,
        open_ingest: Callable[[], Ingest],
        client: DumpsClient,
        *,
        sla: timedelta,
        retry_after: timedelta,
    ) -> None:
        """`open_ingest` is called for the first hour that has something to be taken in, and not before."""
        self._session = session
        self._open_ingest = open_ingest
        self._client = client
        self._sla = sla
        self._retry_after = retry_after
        self._failures = Failures(session.journal, "ingested")
        self.loaded: dict[Hour, SourceFile] = {}
        """What the hours taken in by this run were made of."""
        self._done = 0
        self._unavailable: list[SourceUnavailable] = []
        self._bug: Exception | None = None

    def take(self, unit: Unit, picture: Picture, *, wait: bool = False) -> Attempt:
        """`wait`: where another run holds the hour, wait for its lease to end (a killed run's ends within a minute)."""
        with structlog.contextvars.bound_contextvars(hour=str(unit.hour)):
            try:
                return self._take(unit, picture, wait=wait)
            except LeaseHeld as exc:
                log.info("hour_held", holder=exc.holder, until=exc.expires_at.isoformat())
                self._record(HourOutcome(hour=unit.hour, outcome="held", detail=f"held by {exc.holder}"))
                return Attempt(held=True)
            except LeaseLost as exc:
                self._record(HourOutcome(hour=unit.hour, outcome="held", detail=str(exc)))
                return Attempt(worked=True, held=True)
            except Stopped:
                self._record(HourOutcome(hour=unit.hour, outcome="stopped"))
                raise
            except (HourError, SourceUnavailable) as exc:
                return self._failed(unit, picture, exc)
            except (TemporaryError, ConfigurationError):
                raise
            except Exception as exc:
                log.exception("hour_failed_by_a_bug")
                self._bug = exc
                return self._failed(unit, picture, exc)

    def recheck(self, hour: Hour, last: Recheck) -> SourceFile | None:
        """Asks the source whether it has restated the loaded hour, and takes in what it has. Never makes it fail.

        Returns what is loaded now, where that had to be looked up.
        """
        with structlog.contextvars.bound_contextvars(hour=str(hour)):
            try:
                source = self._recheck(hour, last)
                self._unavailable.clear()
                return source
            except (LeaseHeld, LeaseLost) as exc:
                log.info("recheck_put_off", reason=str(exc))
            except (HourError, SourceUnavailable) as exc:
                log.warning("recheck_failed", error_type=type(exc).__name__, error=str(exc))
                self._record(HourOutcome(hour=hour, outcome="failed", detail=f"{type(exc).__name__}: {exc}"))
                if isinstance(exc, SourceUnavailable):
                    self._unanswered(exc)
        return None

    def _recheck(self, hour: Hour, last: Recheck) -> SourceFile | None:
        if (last.etag or last.last_modified) and self._client.unchanged(
            hour, etag=last.etag, last_modified=last.last_modified
        ):
            return None
        generation = newest_generation(self._session.store, "ingested", hour)
        known = read_ingested(self._session.journal, hour, generation) if generation else None
        if known is None:
            return None
        source = known.source
        if self._client.unchanged(hour, etag=source.etag, last_modified=source.last_modified):
            return source
        log.info("hour_perhaps_restated", generation=generation)
        self._session.prove_store()
        with self._session.leases.acquire("ingested", hour) as lease:
            self._session.begin()
            taken = self._ingest.hour(hour, lease, known=known, attempt=1, only_if_changed=True)
            self._record(taken.outcome)
        return taken.source or source

    @cached_property
    def _ingest(self) -> Ingest:
        return self._open_ingest()

    def raise_outage(self) -> None:
        """At the end of a tick: an error that was no hour's own is the tick's."""
        if self._bug is not None:
            raise self._bug
        if self._unavailable and not self._done:
            raise self._unavailable[-1]

    def _take(self, unit: Unit, picture: Picture, *, wait: bool) -> Attempt:
        session, hour = self._session, unit.hour
        if hour < picture.settled and not unit.force:
            # The picture knows no markers before the watermark: a failure may outlive the hour's success there.
            generation = newest_generation(session.store, "ingested", hour)
            if generation:
                return self._there(unit, picture, generation)
        if not self._client.is_published(hour):
            return self._unpublished(unit, picture)
        session.prove_store()
        with session.leases.acquire("ingested", hour, wait=wait) as lease:
            generation = newest_generation(session.store, "ingested", hour)
            if generation and not unit.force:
                return self._there(unit, picture, generation)
            self._begin(unit)
            before = picture.failures.get(hour)
            known = read_ingested(session.journal, hour, generation) if generation else None
            taken = self._ingest.hour(hour, lease, known=known, attempt=before.attempt + 1 if before else 1)
            outcome, source = taken.outcome, taken.source
            if outcome.outcome == "not_published":  # it was withdrawn since we asked
                return self._unpublished(unit, picture)
            if source is not None:
                self.loaded[hour] = source
            self._record(outcome)
            if before:
                self._failures.clear(hour)
            self._progress(unit, failed=False)
        self._done += 1
        self._unavailable.clear()
        return Attempt(worked=True, ingested={hour: outcome.generation or 1})

    def _there(self, unit: Unit, picture: Picture, generation: int) -> Attempt:
        """Somebody has loaded the hour; if that run was killed at its end, the failures before it are still listed."""
        if unit.hour in picture.failures:
            self._failures.clear(unit.hour)
        return Attempt(ingested={unit.hour: generation})

    def _unpublished(self, unit: Unit, picture: Picture) -> Attempt:
        """Waiting is no failure; only once the hour is late, or was asked for, a pause is kept for it."""
        hour, now = unit.hour, self._session.clock.now()
        error = SourceUnavailable(f"{self._client.pageviews_url(hour)} is not published yet")
        late = now >= hour.ended_at + self._sla
        log.info("hour_not_published", late=late)
        if (late or unit.request) and hour not in picture.ingested:
            before = picture.failures.get(hour)
            self._failures.add(
                hour,
                "unpublished",
                error,
                now=now,
                run_id=self._session.run.id,
                before=before,
                first_pause=self._retry_after,
            )
        self._progress(unit, failed=True)
        return Attempt(error=error)

    def _failed(self, unit: Unit, picture: Picture, exc: Exception) -> Attempt:
        self._begin(unit)
        hour = unit.hour
        if not newest_generation(self._session.store, "ingested", hour):
            self._add_failure(hour, picture, exc)
        self._record(HourOutcome(hour=hour, outcome="failed", detail=f"{type(exc).__name__}: {exc}"))
        self._progress(unit, failed=True)
        if isinstance(exc, SourceUnavailable):
            self._unanswered(exc)
        error = exc if isinstance(exc, PageviewsError) else PageviewsError(f"{type(exc).__name__}: {exc}")
        return Attempt(worked=True, error=error)

    def _unanswered(self, exc: SourceUnavailable) -> None:
        self._unavailable.append(exc)
        if len(self._unavailable) >= _OUTAGE:
            raise exc

    def _add_failure(self, hour: Hour, picture: Picture, exc: Exception) -> None:
        self._failures.add(
            hour,
            "failed",
            exc,
            now=self._session.clock.now(),
            run_id=self._session.run.id,
            before=picture.failures.get(hour),
            first_pause=self._retry_after,
            evidence=exc.evidence if isinstance(exc, HourError) else None,
        )

    def _begin(self, unit: Unit) -> None:
        request = unit.request
        trigger: Trigger | None = None if request is None else "manual" if len(request.hours) == 1 else "backfill"
        self._session.begin(trigger=trigger, request=request.id if request else None)

    def _record(self, outcome: HourOutcome) -> None:
        if self._session.run.began:
            self._session.run.record(outcome)

    def _progress(self, unit: Unit, *, failed: bool) -> None:
        if unit.request is not None and unit.force:
            Requests(self._session.journal).add_progress(
                Progress(
                    request=unit.request.id,
                    job="ingestor",
                    hour=unit.hour,
                    outcome="failed" if failed else "done",
                    run_id=self._session.run.id,
                    at=self._session.clock.now(),
                )
            )
