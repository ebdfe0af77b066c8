"""What is told of an hour's ingest while it goes on: its lineage, and a trace of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid5

import structlog
from opentelemetry import trace
from opentelemetry.context import Context

from ingestor.settings import IngestorSettings
from pageviews_core import keys
from pageviews_core.errors import LeaseLost, Stopped
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.lineage.base import Column, ColumnSource, Dataset, Task
from pageviews_core.lineage.naming import served, stored, table_names
from pageviews_core.records.marker import IngestedMarker
from pageviews_core.tracing import tracer

Tell = Callable[[IngestedMarker | None], None]

_SOURCE_COLUMNS = (
    Column("domain_code", description="Wiki and access, such as en.m"),
    Column("page_title", description="As requested, percent-encoded or not"),
    Column("count_views"),
    Column("total_response_size", description="Always 0"),
)
_DECODED_COLUMNS = (Column("domain_code", "VARCHAR"), Column("page_title", "VARCHAR"), Column("count_views", "BIGINT"))
_RAW_COLUMNS = (Column("hour_started_at", "TIMESTAMP"), Column("generation", "INTEGER"), *_DECODED_COLUMNS)


class Telling:
    """Of one run."""

    def __init__(self, session: Session, settings: IngestorSettings, folder_url: str) -> None:
        """`folder_url`: what the source's files of all hours are below."""
        tables = table_names(settings)
        self._session = session
        self._source = Dataset(*served(folder_url), columns=_SOURCE_COLUMNS)
        self._landing = stored(session.store.url, keys.LANDING)
        self._raw = (tables.namespace, tables.table(settings.raw_table))

    @contextmanager
    def hour(self, hour: Hour, attempt: int) -> Iterator[Tell]:
        """Around the ingest. Call what it gives once, with the hour's marker, or None where nothing was to be taken."""
        run, lineage, clock = self._session.run, self._session.lineage, self._session.clock
        task = Task(
            name=f"{run.job}.hour",
            id=uuid5(run.task.id, f"{hour} {clock.now().isoformat()}"),
            kind="TASK",
            hours=(hour,),
            parent=run.task,
            description="Takes one hour of pageviews from the source into the raw table.",
        )
        attributes: dict[str, str | int] = {
            "pageviews.hour": str(hour),
            "pageviews.run_id": run.id,
            "pageviews.attempt": attempt,
        }
        links = [trace.Link(run.span.get_span_context())]
        with tracer().start_as_current_span("ingest", Context(), attributes=attributes, links=links) as span:
            lineage.start(task, clock.now(), inputs=[self._source], outputs=self._outputs())

            def tell(marker: IngestedMarker | None) -> None:
                if marker is None:
                    lineage.complete(task, clock.now(), inputs=[self._source])
                    return
                span.set_attributes({"pageviews.generation": marker.generation, "pageviews.rows": marker.rows.loaded})
                inputs = [self._source_of(marker)]
                lineage.complete(task, clock.now(), inputs=inputs, outputs=self._outputs(marker))

            try:
                with structlog.contextvars.bound_contextvars(**_trace_id(span)):
                    yield tell
            except (Stopped, LeaseLost):
                lineage.abort(task, clock.now())
                raise
            except Exception as exc:
                lineage.fail(task, clock.now(), f"{type(exc).__name__}: {exc}")
                raise

    def _source_of(self, marker: IngestedMarker) -> Dataset:
        file = marker.source
        return Dataset(
            self._source.namespace,
            self._source.name,
            columns=_SOURCE_COLUMNS,
            version=file.etag or file.sha256,
            source_file={
                "url": file.url,
                "etag": file.etag,
                "lastModified": file.last_modified,
                "sha256": file.sha256,
                "generation": marker.generation,
            },
            rows=marker.rows.lines,
            bytes=file.bytes,
        )

    def _outputs(self, marker: IngestedMarker | None = None) -> list[Dataset]:
        version = f"{marker.hour} generation {marker.generation}" if marker else None
        rows = marker.rows.loaded if marker else None
        lineage = {
            column.name: [ColumnSource(self._source.namespace, self._source.name, column.name, "IDENTITY")]
            for column in _DECODED_COLUMNS
        }
        return [
            Dataset(*self._landing, columns=_DECODED_COLUMNS, version=version, rows=rows, column_lineage=lineage),
            Dataset(*self._raw, columns=_RAW_COLUMNS, version=version, rows=rows, column_lineage=lineage),
        ]


def _trace_id(span: trace.Span) -> dict[str, str]:
    """For the log, where somebody traces."""
    context = span.get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id)} if context.is_valid else {}
