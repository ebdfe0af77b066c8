"""Building a batch: leases, the child process, and the markers of the hours that came out right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog
from opentelemetry import trace

from pageviews_core import __version__, keys
from pageviews_core.errors import HourError, LeaseLost, PageviewsError, WarehouseUnavailable
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.keys import FailureKey
from pageviews_core.lease import Lease, LeaseHeld
from pageviews_core.markers import newest_generation
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.marker import IngestedMarker, TransformedMarker
from pageviews_core.records.run import HourOutcome, HourOutcomeName
from transformer.artifacts import keep_artifacts
from transformer.child import raised, run_child
from transformer.dbt_docs import keep_docs
from transformer.model_lineage import ModelLineage
from transformer.node_runs import read_invocation
from transformer.protocol import Batch, BatchHour, BatchResult, Retirement
from transformer.traces import HourSpans, hour_spans, trace_nodes

_ATTEMPTS = 20
"""At getting into the warehouse: dbt does not wait for its file, as the look before it does."""

log = structlog.get_logger()


@dataclass
class Builder:
    """Of one run. `failures` are the newest, as listed at its start."""

    session: Session
    scratch: Path
    failures: dict[Hour, FailureKey]
    retry_after: timedelta
    model_lineage: ModelLineage | None
    """None where nobody is told."""
    done: set[Hour] = field(default_factory=set)
    failed: dict[Hour, PageviewsError] = field(default_factory=dict)
    published: bool = False
    _children: int = 0
    _spans: HourSpans = field(default_factory=lambda: HourSpans({}))

    def build(
        self,
        markers: Sequence[IngestedMarker],
        *,
        models: Sequence[str] = (),
        again: bool = False,
        publish: bool = False,
    ) -> None:
        """Builds the hours in one go; if that fails, one by one, so that a bad hour fails alone.

        `again`: even those that have a transformed marker. Hours' own errors go to `failed`; what no hour can help is
        raised.
        """
        with ExitStack() as stack:
            leases = self._leases(markers, stack, again=again)
            taken = [marker for marker in markers if marker.hour in leases]
            if not taken:
                return
            self.session.begin()
            self._spans = stack.enter_context(hour_spans(self.session.run, taken))
            result = self._run(taken, leases, models, publish=publish)
            if result.error is None:
                self._settle(taken, leases, result)
                return
            error = raised(result.error)
            if not isinstance(error, HourError):
                raise error
            if len(taken) == 1:
                self._fail(taken[0].hour, error)
                return
            log.warning("batch_failed_trying_hour_by_hour", hours=len(taken), error=str(error))
            for marker in taken:
                self.session.stopping.check()
                single = self._run([marker], leases, models, publish=False)
                if single.error is None:
                    self._settle([marker], leases, single)
                    continue
                error = raised(single.error)
                if not isinstance(error, HourError):
                    raise error
                self._fail(marker.hour, error)

    def publish(self) -> None:
        """Only publishes: where the last batch could not."""
        with self.session.run.step("publish"):
            self._without_hours(Batch(run_id=self.session.run.id, hours=(), publish=True))
        self.published = True

    def retire(self, table: str, column: str, before: Hour) -> int:
        """Deletes old rows of the warehouse, and says how many they were."""
        retirement = Retirement(table=table, column=column, before=before)
        return self._without_hours(Batch(run_id=self.session.run.id, hours=(), retire=(retirement,))).retired

    def _without_hours(self, batch: Batch) -> BatchResult:
        result = self._child(batch)
        if result.error is not None:
            raise raised(result.error)
        return result

    def _leases(self, markers: Sequence[IngestedMarker], stack: ExitStack, *, again: bool) -> dict[Hour, Lease]:
        """Of the hours that nobody else works on. Where that is none, those of a killed run are waited for."""
        self.session.prove_store()
        leases: dict[Hour, Lease] = {}
        seen: set[Hour] = set()
        for wait in (False, True):
            held = False
            for marker in markers:
                if marker.hour in seen:
                    continue
                try:
                    lease = self.session.leases.acquire("transformed", marker.hour, wait=wait)
                except LeaseHeld as exc:
                    held = True
                    log.info("hour_held", hour=str(marker.hour), holder=exc.holder, until=exc.expires_at.isoformat())
                    continue
                seen.add(marker.hour)
                stack.callback(lease.release)
                if again or newest_generation(self.session.store, "transformed", marker.hour) < marker.generation:
                    leases[marker.hour] = lease
            if leases or not held:
                break
        return leases

    def _run(
        self, markers: Sequence[IngestedMarker], leases: dict[Hour, Lease], models: Sequence[str], *, publish: bool
    ) -> BatchResult:
        hours = [marker.hour for marker in markers]
        batch = Batch(
            run_id=self.session.run.id,
            hours=tuple(_batch_hour(marker, leases[marker.hour]) for marker in markers),
            models=tuple(models),
            publish=publish,
        )
        with self._spans.building(hours), self.session.run.step("dbt", *hours):
            return self._child(batch)

    def _child(self, batch: Batch) -> BatchResult:
        self._children += 1
        folder = self.scratch / self.session.run.id / f"batch-{self._children}"
        for _ in range(_ATTEMPTS):
            result = run_child(batch, folder, self.session.stopping)
            if result.overtaken is None:
                break
            log.info("batch_overtaken", reason=result.overtaken)
        else:
            raise WarehouseUnavailable(
                f"another process came first {_ATTEMPTS} times; the hours stay owed: {result.overtaken}"
            )
        if batch.hours:
            keep_artifacts(self.session, folder / "target", self._children)
            keep_docs(self.session, folder / "target")
            self._tell(folder / "target", batch, result)
        return result

    def _tell(self, target: Path, batch: Batch, result: BatchResult) -> None:
        """Whoever wants to know what dbt did, of what it left in its target folder."""
        traced = trace.get_current_span().is_recording()
        if self.model_lineage is None and not traced:
            return
        try:
            invocation = read_invocation(target)
            if invocation is None:
                return
            trace_nodes(invocation)
            if self.model_lineage:
                self.model_lineage.tell(invocation, [item.hour for item in batch.hours], result.table_rows)
        except Exception:  # no reason to fail hours that are built
            log.exception("models_not_told")

    def _settle(self, markers: Iterable[IngestedMarker], leases: dict[Hour, Lease], result: BatchResult) -> None:
        self.published |= result.published
        for marker in markers:
            text = str(marker.hour)
            if text in result.failed:
                self._fail(marker.hour, raised(result.failed[text]))
            elif text in result.superseded:
                self._record(marker.hour, "superseded", marker.generation, detail=result.superseded[text])
            else:
                self._mark(marker, leases[marker.hour], result)

    def _mark(self, marker: IngestedMarker, lease: Lease, result: BatchResult) -> None:
        built = result.built[str(marker.hour)]
        run = self.session.run
        transformed = TransformedMarker(
            hour=marker.hour,
            generation=marker.generation,
            sha256=marker.source.sha256,
            rows=built.rows,
            views=built.views,
            invocation_id=result.invocation_id,
            nodes=result.nodes,
            warnings=result.warnings,
            run_id=run.id,
            started_at=run.started_at,
            finished_at=self.session.clock.now(),
            traceparent=self._spans.traceparent(marker),
            version=__version__,
            cost=result.cost,
        )
        try:
            with run.step("mark", marker.hour):
                lease.ensure()
                with suppress(ObjectExists):  # built again: the first marker of the generation stands
                    self.session.journal.create(keys.marker("transformed", marker.hour, marker.generation), transformed)
        except LeaseLost as exc:
            self._record(marker.hour, "held", marker.generation, detail=str(exc))
            return
        if marker.hour in self.failures:
            Failures(self.session.journal, "transformed").clear(marker.hour)
        self.done.add(marker.hour)
        self._record(marker.hour, "done", marker.generation, rows=built.rows, views=built.views)

    def _fail(self, hour: Hour, error: PageviewsError) -> None:
        self.failed[hour] = error
        self._spans.failed(hour, error)
        Failures(self.session.journal, "transformed").add(
            hour,
            "failed",
            error,
            now=self.session.clock.now(),
            run_id=self.session.run.id,
            before=self.failures.get(hour),
            first_pause=self.retry_after,
        )
        self._record(hour, "failed", detail=f"{type(error).__name__}: {error}")

    def _record(
        self,
        hour: Hour,
        outcome: HourOutcomeName,
        generation: int | None = None,
        *,
        rows: int | None = None,
        views: int | None = None,
        detail: str | None = None,
    ) -> None:
        self.session.run.record(
            HourOutcome(hour=hour, outcome=outcome, generation=generation, rows=rows, views=views, detail=detail)
        )


def _batch_hour(marker: IngestedMarker, lease: Lease) -> BatchHour:
    return BatchHour(
        hour=marker.hour,
        generation=marker.generation,
        sha256=marker.source.sha256,
        rows=marker.rows.loaded,
        views=marker.views,
        fence=lease.fence,
        landing=marker.objects.landing,
        raw=marker.objects.raw,
    )
