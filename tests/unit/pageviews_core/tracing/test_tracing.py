from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider  # noqa: TID251 - for spans that are real

from pageviews_core.tracing import context_of, nanoseconds, traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_marker_gets_the_context_of_the_span() -> None:
    span = TracerProvider().get_tracer("test").start_span("hour")
    context = span.get_span_context()
    ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
    assert traceparent(span)[:52] == f"00-{ids}"


def test_a_marker_gets_random_numbers_where_nobody_traces() -> None:
    found = {traceparent(trace.INVALID_SPAN) for _ in range(20)}
    assert len(found) == 20
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", each) for each in found)


def test_a_span_continues_the_markers_trace() -> None:
    span = TracerProvider().get_tracer("test").start_span("transform", context_of(TRACE))
    assert trace.format_trace_id(span.get_span_context().trace_id) == TRACE[3:35]


def test_a_malformed_context_begins_a_new_trace() -> None:
    assert not trace.get_current_span(context_of("00-none")).get_span_context().is_valid


def test_times_are_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC) + timedelta(microseconds=123_457)
    assert nanoseconds(at) == 1_795_165_200_123_457_000
