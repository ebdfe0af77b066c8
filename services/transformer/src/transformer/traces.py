"""The transformer's spans: one in the trace of each hour of a batch, and below them what dbt did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context

from pageviews_core.hour import Hour
from pageviews_core.job.run import Run
from pageviews_core.records.marker import IngestedMarker
from pageviews_core.tracing import context_of, nanoseconds, traceparent, tracer
from transformer.node_runs import Invocation


@dataclass(frozen=True)
class HourSpans:
    _spans: dict[Hour, trace.Span]

    def traceparent(self, marker: IngestedMarker) -> str:
        """For the transformed marker: this stage's span, or what the ingestor began."""
        span = self._spans[marker.hour]
        return traceparent(span) if span.is_recording() else marker.traceparent

    def failed(self, hour: Hour, error: Exception) -> None:
        self._spans[hour].record_exception(error)
        self._spans[hour].set_status(trace.StatusCode.ERROR, str(error))

    @contextmanager
    def building(self, hours: Sequence[Hour]) -> Iterator[None]:
        """Around dbt. One hour: within its trace. Several: a trace of their own, linked with each of theirs."""
        if len(hours) == 1:
            with trace.use_span(self._spans[hours[0]], record_exception=False, set_status_on_exception=False):
                yield
        else:
            links = [trace.Link(self._spans[hour].get_span_context()) for hour in hours]
            with tracer().start_as_current_span("transform_batch", Context(), links=links):
                yield


@contextmanager
def hour_spans(run: Run, markers: Sequence[IngestedMarker]) -> Iterator[HourSpans]:
    """The span of each hour, from here until the batch is done with."""
    spans = {
        marker.hour: tracer().start_span(
            "transform",
            context_of(marker.traceparent),
            attributes={
                "pageviews.hour": str(marker.hour),
                "pageviews.generation": marker.generation,
                "pageviews.run_id": run.id,
            },
            links=[trace.Link(run.span.get_span_context())],
        )
        for marker in markers
    }
    try:
        yield HourSpans(spans)
    finally:
        for span in spans.values():
            span.end()


def trace_nodes(invocation: Invocation) -> None:
    """A span for each node that dbt ran, below the current one."""
    for ran in invocation.nodes:
        span = tracer().start_span(
            ran.name,
            attributes={"dbt.unique_id": ran.unique_id, "dbt.status": ran.status},
            start_time=nanoseconds(ran.started_at),
        )
        if ran.failed:
            span.set_status(trace.StatusCode.ERROR, ran.message or ran.status)
        span.end(nanoseconds(ran.finished_at))
