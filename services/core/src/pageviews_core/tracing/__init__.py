"""Traces: one for each hour, from its download to its models, in OpenTelemetry's terms. Off by default.

A marker carries its hour's trace context (https://www.w3.org/TR/trace-context), so the transformer's spans continue the
ingestor's. Without an exporter the calls do nothing, and a marker gets a context of random numbers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pageviews_core import __version__
from pageviews_core.settings import JobSettings

_HEADER = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


def tracer() -> trace.Tracer:
    return trace.get_tracer("pageviews", __version__)


def traceparent(span: trace.Span) -> str:
    """The span's context for a marker; random numbers where nobody traces."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get(_HEADER) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def context_of(parent: str) -> Context:
    """For a span that continues the marker's trace; a malformed context begins a new one."""
    return _PROPAGATOR.extract({_HEADER: parent}, Context())


def nanoseconds(at: datetime) -> int:
    """As OpenTelemetry counts, since 1970."""
    return round(at.timestamp() * 1_000_000) * 1_000


@contextmanager
def exported(settings: JobSettings, service: str) -> Iterator[None]:
    """Within it spans go to the collector that the settings name, by OTLP over HTTP; once in a process."""
    if not settings.otlp_endpoint:
        yield
        return
    from pageviews_core.tracing.export import Export  # only where it is on

    export = Export(service)
    try:
        yield
    finally:
        export.close()
