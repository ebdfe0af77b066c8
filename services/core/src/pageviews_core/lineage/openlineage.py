"""The adapter for OpenLineage (https://openlineage.io): run events, version 2 of the specification.

The client is imported, and events are put together, in the outbox's thread.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from pageviews_core import __version__
from pageviews_core.lineage.base import Column, Dataset, Datasets, Task
from pageviews_core.lineage.outbox import Outbox

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.transport.transport import Transport

PRODUCER = f"urn:wikipedia-pageviews:{__version__}"
_SECONDS = 2.0
"""For one event to be taken."""
_CAPACITY = 2_000
"""Events; a tick of 24 hours has about 150."""

Event = Literal["START", "COMPLETE", "ABORT", "FAIL"]


class _Told(NamedTuple):
    event: Event
    task: Task
    at: datetime
    inputs: Datasets
    outputs: Datasets
    error: str | None


class OpenLineage:
    """`url` is http(s)://host, file:///absolute/file.jsonl (events are appended, a line each), or console: (stderr)."""

    def __init__(self, url: str, api_key: SecretStr | None, *, namespace: str, patience: float = _SECONDS) -> None:
        self._outbox: Outbox[_Told] = Outbox(
            lambda: _sender(url, api_key, namespace), name="lineage", capacity=_CAPACITY, patience=patience
        )

    def start(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        self._outbox.put(_Told("START", task, at, inputs, outputs, None))

    def complete(self, task: Task, at: datetime, *, inputs: Datasets = (), outputs: Datasets = ()) -> None:
        self._outbox.put(_Told("COMPLETE", task, at, inputs, outputs, None))

    def abort(self, task: Task, at: datetime) -> None:
        self._outbox.put(_Told("ABORT", task, at, (), (), None))

    def fail(self, task: Task, at: datetime, error: str) -> None:
        self._outbox.put(_Told("FAIL", task, at, (), (), error))

    def close(self) -> None:
        """Waits two seconds for a receiver that takes nothing, ten for a slow one; says how many were dropped."""
        self._outbox.close()


def _sender(url: str, api_key: SecretStr | None, namespace: str) -> Callable[[_Told], None]:
    from openlineage.client.event_v2 import set_producer

    set_producer(PRODUCER)
    transport = _transport(url, api_key)
    return lambda told: transport.emit(_event(told, namespace))


def _transport(url: str, api_key: SecretStr | None) -> Transport:
    parts = urlsplit(url)
    if parts.scheme == "console":
        from openlineage.client.transport import console

        console.log.setLevel(logging.INFO)
        console.log.propagate = False
        if not console.log.handlers:
            console.log.addHandler(logging.StreamHandler(sys.stderr))
        return console.ConsoleTransport(console.ConsoleConfig())
    if parts.scheme == "file":
        from openlineage.client.transport.file import FileConfig, FileTransport

        path = Path(unquote(parts.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileTransport(FileConfig(str(path), append=True))
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

    auth = ApiKeyTokenProvider({"apiKey": api_key.get_secret_value()}) if api_key else TokenProvider({})
    retry = {"total": 2, "connect": 2, "read": 0, "status": 1, "backoff_factor": 0.2}
    return HttpTransport(HttpConfig(url, timeout=_SECONDS, auth=auth, retry=retry))


def _event(told: _Told, namespace: str) -> RunEvent:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import input_statistics_input_dataset, output_statistics_output_dataset

    task = told.task
    read, written = (
        input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
        output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    )
    return RunEvent(
        eventType=RunState[told.event],
        eventTime=_time(told.at),
        run=Run(str(task.id), facets=_run_facets(task, namespace, told.error)),
        job=Job(namespace, task.name, facets=_job_facets(task)),
        inputs=[
            InputDataset(
                each.namespace,
                each.name,
                {**_counts("inputStatistics", read, each), **_assertions(each)},
                facets=_facets(each),
            )
            for each in told.inputs
        ],
        outputs=[
            OutputDataset(each.namespace, each.name, _counts("outputStatistics", written, each), facets=_facets(each))
            for each in told.outputs
        ],
    )


def _counts(name: str, facet: Callable[..., Any], dataset: Dataset) -> dict[str, Any]:
    """How much of the dataset was read or written, where that is known."""
    return {} if dataset.rows is None else {name: facet(rowCount=dataset.rows, size=dataset.bytes)}


def _assertions(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as facet

    if not dataset.assertions:
        return {}
    found = [
        facet.Assertion(
            assertion=each.kind, success=each.success, column=each.column, severity=each.severity, name=each.name
        )
        for each in dataset.assertions
    ]
    return {"dataQualityAssertions": facet.DataQualityAssertionsDatasetFacet(assertions=found)}


def _run_facets(task: Task, namespace: str, error: str | None) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run, parent_run

    facets: dict[str, Any] = {}
    if task.hours:
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=_time(min(task.hours).started_at), nominalEndTime=_time(max(task.hours).ended_at)
        )
    if parent := task.parent:
        root = parent.parent or parent
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(str(parent.id)),
            job=parent_run.Job(namespace, parent.name),
            root=parent_run.Root(parent_run.RootRun(str(root.id)), parent_run.RootJob(namespace, root.name)),
        )
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=error, programmingLanguage="PYTHON")
    return facets


def _job_facets(task: Task) -> dict[str, Any]:
    from openlineage.client.facet_v2 import documentation_job, job_type_job, sql_job

    facets: dict[str, Any] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH",
            integration="DBT" if task.kind in ("MODEL", "TEST") else "WIKIPEDIA_PAGEVIEWS",
            jobType=task.kind,
        )
    }
    if task.sql:
        facets["sql"] = sql_job.SQLJobFacet(query=task.sql)
    if task.description:
        facets["documentation"] = documentation_job.DocumentationJobFacet(description=task.description)
    return facets


def _facets(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import (
        DatasetFacet,
        column_lineage_dataset,
        dataset_version_dataset,
        documentation_dataset,
        schema_dataset,
    )

    facets: dict[str, Any] = {}
    if dataset.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[_field(column, place) for place, column in enumerate(dataset.columns, 1)]
        )
    if dataset.description:
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(description=dataset.description)
    if dataset.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    if dataset.source_file:
        # A facet of our own: OpenLineage has none for what an HTTP server says of a file.
        facets["pageviews_sourceFile"] = DatasetFacet().with_additional_properties(**dataset.source_file)
    if dataset.column_lineage:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                column: column_lineage_dataset.Fields(
                    inputFields=[
                        column_lineage_dataset.InputField(
                            source.namespace,
                            source.dataset,
                            source.column,
                            transformations=[
                                column_lineage_dataset.Transformation(type="DIRECT", subtype=source.transformation)
                            ],
                        )
                        for source in sources
                    ]
                )
                for column, sources in dataset.column_lineage.items()
            }
        )
    return facets


def _field(column: Column, place: int) -> Any:
    from openlineage.client.facet_v2 import schema_dataset

    return schema_dataset.SchemaDatasetFacetFields(
        name=column.name, type=column.type, description=column.description, ordinal_position=place
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
