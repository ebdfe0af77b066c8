"""The ingestor's verbs: one tick, chosen hours, the plan, and the check."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingestor.attempt import Attempts
from ingestor.looking import look
from ingestor.planning import Picture
from ingestor.read_ahead import ReadAhead
from ingestor.rechecks import RecheckPlan
from ingestor.settings import IngestorSettings
from ingestor.units import Unit, next_units, units_asked_for
from ingestor.wikimedia import DumpsClient
from pageviews_core.clock import Clock
from pageviews_core.errors import ConfigurationError, PageviewsError
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.memory import engine_memory
from pageviews_core.job.program import Check, PlannedHour, store_checks, tried, warehouse_checks
from pageviews_core.job.session import Session
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from pageviews_core.warehouse import open_warehouse

if TYPE_CHECKING:
    from ingestor.ingest import Ingest

_PROCESS_MEMORY = 160 * 1024**2
"""Python with its libraries, the download's and the unpacking's buffers; measured on the full hour."""


class IngestorProgram:
    job: Job = "ingestor"
    module = "ingestor"
    cron = "15-55/10 * * * *"
    wakes_on: tuple[str, ...] = ("requests/open/",)

    def __init__(self, settings: IngestorSettings, clock: Clock) -> None:
        if settings.contact_needed:
            raise ConfigurationError(
                "PAGEVIEWS_CONTACT is not set: Wikimedia requires a User-Agent with a contact. Give an e-mail address "
                "or a page about who runs this, or a mirror with PAGEVIEWS_SOURCE_URL."
            )
        self._settings = settings
        self._clock = clock
        self._memory = engine_memory(settings.memory_limit, taken=_PROCESS_MEMORY)

    def work(self, session: Session, *, suspended: bool) -> int:
        with self._client(session) as client, self._read_ahead(session) as ahead:
            picture = look(session, self._settings, client)
            owed = sum(planned.due for planned in picture.owed())
            attempts = self._attempts(session, client, ahead)
            picture = self._take_in(session, picture, attempts, ahead, suspended=suspended)
            if not suspended:
                self._ask_again(session, picture, attempts)
            attempts.raise_outage()
        return owed

    def _take_in(
        self, session: Session, picture: Picture, attempts: Attempts, ahead: ReadAhead, *, suspended: bool
    ) -> Picture:
        """Works through the units, and returns the picture as it is afterwards."""
        requests, failures = Requests(session.journal), Failures(session.journal, "ingested")
        open_requests = requests.take(session.clock.now())
        seen: set[Hour] = set()
        held: list[Unit] = []
        taken = 0
        while session.may_start_more() and taken < self._settings.max_hours_per_run:
            picture = replace(picture, now=session.clock.now())
            asked = units_asked_for(requests, failures, open_requests, picture)
            left = self._settings.max_hours_per_run - taken
            coming = next_units(picture, asked, seen, suspended=suspended, most=min(left, ahead.most + 1))
            unit = coming[0] if coming else None
            # What another run held is tried once more at the end: if that run was killed, its lease runs out.
            waiting = unit is None and bool(held)
            unit = held.pop() if waiting else unit
            if unit is None:
                break
            seen.add(unit.hour)
            ahead.expect(unit.hour, [later.hour for later in coming[1:]])
            outcome = attempts.take(unit, picture, wait=waiting)
            if outcome.held and not waiting:
                held.append(unit)
            if outcome.worked:
                taken += 1
                open_requests = requests.take(session.clock.now())  # it took a while: somebody may wait
            picture = replace(picture, ingested={**picture.ingested, **outcome.ingested})
        return picture

    def _ask_again(self, session: Session, picture: Picture, attempts: Attempts) -> None:
        """Has the source restated one of the recent hours?"""
        plan = RecheckPlan(session.journal, window=self._settings.recheck_window, after=self._settings.recheck_after)
        missing = {planned.hour for planned in picture.owed()} | set(picture.failures)
        plan.follow(session.clock.now(), picture.start, picture.expected_until(), missing)
        try:
            for hour, source in attempts.loaded.items():
                plan.loaded(hour, source, session.clock.now())
            for hour, last in plan.due(session.clock.now()):
                if not session.may_start_more():
                    break
                plan.asked(hour, attempts.recheck(hour, last), session.clock.now())
        finally:
            plan.save()

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        with self._client(session) as client, self._read_ahead(session) as ahead:
            picture = look(session, self._settings, client)
            attempts = self._attempts(session, client, ahead)
            first: PageviewsError | None = None
            for number, hour in enumerate(hours, 1):
                if not session.may_start_more():
                    break
                ahead.expect(hour, hours[number:])
                outcome = attempts.take(Unit(hour, force=force), picture, wait=True)
                first = first or outcome.error
            if first:
                raise first

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        with self._client(session) as client:
            picture = look(session, self._settings, client, remember=False)
            requests, failures = Requests(session.journal), Failures(session.journal, "ingested")
            asked = [
                PlannedHour(unit.hour, True, f"asked for by request {unit.request.id}")
                for unit in units_asked_for(requests, failures, requests.open(), picture)
                if unit.request
            ]
            owed = picture.owed()
            return [*owed[:1], *asked, *owed[1:]]

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        yield Check("settings", True, f"memory for the engine {self._memory // 1024**2} MiB")
        with self._client(session) as client:
            yield from store_checks(session)
            warehouse = open_warehouse(self._settings, self._clock, engine_memory=self._memory)
            yield from warehouse_checks(warehouse, self._settings.warehouse, self.job, create=create)
            yield tried("source", client.base_url, client.check)

    def _client(self, session: Session, given_up: Callable[[], bool] = lambda: False) -> DumpsClient:
        return DumpsClient(
            self._settings.source_url,
            self._settings.contact,
            connections=self._settings.max_download_workers,
            clock=session.clock,
            should_stop=lambda: session.stopping.asked() or given_up(),
        )

    @contextmanager
    def _read_ahead(self, session: Session) -> Iterator[ReadAhead]:
        """With the run's scratch folder, which goes at the end."""
        scratch = self._scratch(session)
        try:
            with ReadAhead(
                lambda given_up: self._client(session, given_up),
                scratch / "ahead",
                workers=self._settings.max_download_workers,
            ) as ahead:
                yield ahead
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _scratch(self, session: Session) -> Path:
        return self._settings.scratch_folder() / "ingestor" / session.run.id

    def _attempts(self, session: Session, client: DumpsClient, ahead: ReadAhead) -> Attempts:
        return Attempts(
            session,
            lambda: self._open_ingest(session, client, ahead),
            client,
            sla=self._settings.sla,
            retry_after=self._settings.retry_after,
        )

    def _open_ingest(self, session: Session, client: DumpsClient, ahead: ReadAhead) -> Ingest:
        # It loads the engine, which a tick with nothing to do need not wait for.
        from ingestor.ingest import Ingest
        from ingestor.telling import Telling

        return Ingest(
            session=session,
            client=client,
            read_ahead=ahead,
            warehouse=open_warehouse(self._settings, self._clock, engine_memory=self._memory),
            telling=Telling(session, self._settings, client.base_url),
            scratch=self._scratch(session),
            max_rejected_share=self._settings.max_rejected_share,
            engine_memory=self._memory,
            threads=self._settings.threads,
        )
