"""The transformer's verbs: one tick, chosen hours, the plan, and the check."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pageviews_core.clock import Clock
from pageviews_core.errors import ConfigurationError, InputGone
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.memory import engine_memory
from pageviews_core.job.program import Check, PlannedHour, store_checks, tried, warehouse_checks
from pageviews_core.job.session import Session
from pageviews_core.lineage.naming import table_names
from pageviews_core.markers import newest_generation, read_ingested
from pageviews_core.records.marker import IngestedMarker
from pageviews_core.records.request import Progress, Request
from pageviews_core.records.run import Job
from pageviews_core.requests import Requests
from transformer.build import Builder
from transformer.housekeeping import housekeep, is_due
from transformer.model_lineage import ModelLineage
from transformer.planning import Picture, look
from transformer.settings import TransformerSettings
from transformer.settling import close_settled_requests, raise_watermark


class TransformerProgram:
    job: Job = "transformer"
    module = "transformer"
    cron = "*/5 * * * *"
    wakes_on: tuple[str, ...] = ("requests/open/", "markers/ingested/")

    def __init__(self, settings: TransformerSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def work(self, session: Session, *, suspended: bool) -> int:
        picture = look(session, self._settings.start)
        requests = Requests(session.journal)
        open_requests = requests.take(session.clock.now())
        due = [planned.hour for planned in picture.owed() if planned.due]
        wanted = due if not suspended else _asked_for(due, open_requests)
        again = _to_build_again(requests, open_requests)
        builder = self._builder(session, picture)
        self._forget_healed(session, picture)
        try:
            for request, hours in again:
                self._build_again(session, builder, request, hours)
            self._build_owed(session, builder, picture, [hour for hour in wanted if hour not in builder.done])
            if builder.done and not builder.published:
                builder.publish()
        finally:
            self._clear_scratch(session)
        done = {hour: picture.ingested[hour] for hour in builder.done if hour in picture.ingested}
        raise_watermark(session, picture, done, absent_after=self._settings.absent_after)
        if open_requests:
            close_settled_requests(session, open_requests)
        self._keep_house(session, builder)
        return len(wanted) + sum(len(hours) for _, hours in again)

    def work_on(self, session: Session, hours: Sequence[Hour], *, force: bool) -> None:
        picture = look(session, self._settings.start)
        builder = self._builder(session, picture)
        generations = {hour: newest_generation(session.store, "ingested", hour) for hour in hours}
        never = [str(hour) for hour, generation in generations.items() if not generation]
        if never:
            raise InputGone(
                f"never ingested: {', '.join(never)}. Load them first: `pageviews-ingestor hour {' '.join(never)}`"
            )
        try:
            self._build_all(session, builder, generations, again=force)
            if builder.done and not builder.published:
                builder.publish()
        finally:
            self._clear_scratch(session)
        if builder.failed:
            raise next(iter(builder.failed.values()))

    def plan(self, session: Session) -> Sequence[PlannedHour]:
        picture = look(session, self._settings.start)
        requests = Requests(session.journal)
        asked = [
            PlannedHour(hour, True, f"asked for by request {request.id}")
            for request, hours in _to_build_again(requests, requests.open())
            for hour in hours
        ]
        return [*asked, *picture.owed()]

    def check(self, session: Session, *, create: bool) -> Iterator[Check]:
        from pageviews_core.warehouse import open_warehouse

        settings = self._settings
        yield Check("settings", True, f"memory limit {settings.memory_limit // 1024**2} MiB")
        yield from store_checks(session)
        memory = engine_memory(settings.memory_limit, taken=0)
        warehouse = open_warehouse(settings, session.clock, engine_memory=memory)
        yield from warehouse_checks(warehouse, settings.warehouse, self.job, create=create)
        yield tried("dbt project", str(settings.dbt_project_folder()), self._require_project)

    def _require_project(self) -> None:
        if not (self._settings.dbt_project_folder() / "dbt_project.yml").exists():
            raise ConfigurationError(
                f"{self._settings.dbt_project_folder()} holds no dbt_project.yml; set PAGEVIEWS_DBT_PROJECT"
            )

    def _forget_healed(self, session: Session, picture: Picture) -> None:
        """Failures of hours that are complete: a kill between an hour's marker and their deletion leaves them."""
        owed = {planned.hour for planned in picture.owed()}
        for hour in picture.failures:
            if hour not in owed:
                Failures(session.journal, "transformed").clear(hour)

    def _build_owed(self, session: Session, builder: Builder, picture: Picture, hours: Sequence[Hour]) -> None:
        self._build_all(session, builder, {hour: picture.ingested[hour] for hour in hours}, again=False)

    def _build_again(self, session: Session, builder: Builder, request: Request, hours: Sequence[Hour]) -> None:
        generations = {hour: newest_generation(session.store, "ingested", hour) for hour in hours}
        session.begin(trigger="manual" if len(request.hours) == 1 else "backfill", request=request.id)
        there = {hour: generation for hour, generation in generations.items() if generation}
        self._build_all(session, builder, there, again=True, models=request.models)
        requests = Requests(session.journal)
        for hour in hours:
            if hour in there and hour not in builder.done and hour not in builder.failed:
                continue  # held, overtaken, or left for the next tick
            progress = Progress(
                request=request.id,
                job="transformer",
                hour=hour,
                outcome="done" if hour in builder.done else "failed",
                run_id=session.run.id,
                at=session.clock.now(),
            )
            requests.add_progress(progress)

    def _build_all(
        self,
        session: Session,
        builder: Builder,
        generations: dict[Hour, int],
        *,
        again: bool,
        models: Sequence[str] = (),
    ) -> None:
        """In bounded batches, in the order given; the last of them publishes."""
        waiting = list(generations)
        while waiting and session.may_start_more():
            batch: list[IngestedMarker] = []
            while waiting and len(batch) < self._settings.max_batch_hours:
                marker = read_ingested(session.journal, waiting[0], generations[waiting[0]])
                if marker is None:
                    waiting.pop(0)
                    continue
                rows = sum(item.rows.loaded for item in batch) + marker.rows.loaded
                if batch and rows > self._settings.max_batch_rows:
                    break
                waiting.pop(0)
                batch.append(marker)
            if batch:
                builder.build(batch, models=models, again=again, publish=not waiting)

    def _builder(self, session: Session, picture: Picture) -> Builder:
        settings = self._settings
        lineage = None
        if settings.lineage_url:
            tables = table_names(settings)
            lineage = ModelLineage(session.lineage, session.run.task, tables, settings.dbt_project_folder())
        return Builder(session, self._scratch(), dict(picture.failures), settings.retry_after, lineage)

    def _scratch(self) -> Path:
        return self._settings.scratch_folder() / "transformer"

    def _keep_house(self, session: Session, builder: Builder) -> None:
        if session.may_start_more() and is_due(session.journal, session.clock.now()):
            try:
                report = housekeep(session, self._settings, builder.retire)
            finally:
                self._clear_scratch(session)
            if report.error is not None:
                raise report.error

    def _clear_scratch(self, session: Session) -> None:
        shutil.rmtree(self._scratch() / session.run.id, ignore_errors=True)


def _asked_for(due: Iterable[Hour], open_requests: Sequence[Request]) -> list[Hour]:
    asked = {hour for request in open_requests for hour in request.hours}
    return [hour for hour in due if hour in asked]


def _to_build_again(requests: Requests, open_requests: Sequence[Request]) -> list[tuple[Request, list[Hour]]]:
    """Hours to be built although they have a marker: of `transform` requests, and of forced ones once loaded again."""
    found = []
    for request in open_requests:
        if request.kind == "transform":
            candidates = set(request.hours)
        elif request.force:
            loaded = requests.hours_dealt_with(request, "ingestor")
            candidates = {hour for hour, outcome in loaded.items() if outcome == "done"}
        else:
            continue
        hours = sorted(candidates - requests.hours_dealt_with(request, "transformer").keys())
        if hours:
            found.append((request, hours))
    return found
