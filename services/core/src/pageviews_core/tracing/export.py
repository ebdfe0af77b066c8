"""OpenTelemetry's SDK, and what bounds it: a collector that hangs or is gone costs a run two seconds at its end.

The SDK reads its own settings (https://opentelemetry.io/docs/specs/otel/protocol/exporter), such as the endpoint.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from pageviews_core import __version__

_PATIENCE = 2.0
"""Seconds: for one export, and at the end for all that is left."""

log = structlog.get_logger()


class Export:
    """Takes the process's spans from here on. A process has one, since OpenTelemetry's provider is set once."""

    def __init__(self, service: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what it would say is counted at the end
        self._ended, self._exporter = _Ended(), _Counting(OTLPSpanExporter(timeout=_PATIENCE))
        self._provider = TracerProvider(resource=Resource.create(_resource(service)), shutdown_on_exit=False)
        self._provider.add_span_processor(self._ended)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Says in the log how many spans were dropped, if any were."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-closing", daemon=True)
        closing.start()
        closing.join(_PATIENCE)
        if dropped := self._ended.count - self._exporter.taken:
            log.warning("spans_dropped", dropped=dropped, sent=self._exporter.taken)


class _Counting(SpanExporter):
    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.taken += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Ended(SpanProcessor):
    def __init__(self) -> None:
        self.count = 0

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        self.count += context is not None and context.trace_flags.sampled


def _resource(service: str) -> Mapping[str, str]:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES may say otherwise."""
    given = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        given["service.name"] = service
    if pod := os.environ.get("POD_NAME"):
        given["k8s.pod.name"] = pod
    return given
