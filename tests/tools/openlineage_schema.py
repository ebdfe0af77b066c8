"""What OpenLineage's specification asks of a run event and of the facets that we send, as a JSON Schema.

Restated from https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets beside it, and stricter in three ways: a
facet has to be one that we know, nothing may be null, and a dataset's counts have their number of rows.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
_UUID = {"type": "string", "format": "uuid"}
_URI = {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:\S+$"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _facet(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return _object({"_producer": _URI, "_schemaURL": _URI, **required}, optional)


def _facets(**known: Any) -> dict[str, Any]:
    return _object({}, known)


_JOB = {"namespace": _TEXT, "name": _TEXT}
_COLUMN = _object(
    {"name": _TEXT}, {"type": _TEXT, "description": _TEXT, "ordinal_position": _COUNT, "fields": {"maxItems": 0}}
)
_INPUT_FIELD = _object(
    {"namespace": _TEXT, "name": _TEXT, "field": _TEXT},
    {
        "transformations": {
            "type": "array",
            "items": _object(
                {"type": {"enum": ["DIRECT", "INDIRECT"]}},
                {"subtype": {"enum": ["IDENTITY", "TRANSFORMATION", "AGGREGATION"]}},
            ),
        }
    },
)
_DATASET_FACETS = _facets(
    schema=_facet({}, {"fields": {"type": "array", "items": _COLUMN}}),
    documentation=_facet({"description": _TEXT}),
    version=_facet({"datasetVersion": _TEXT}),
    columnLineage=_facet(
        {
            "fields": {
                "type": "object",
                "additionalProperties": _object({"inputFields": {"type": "array", "items": _INPUT_FIELD}}),
            }
        },
        {"dataset": {"maxItems": 0}},
    ),
    pageviews_sourceFile=_facet(
        {"url": _URI, "sha256": _TEXT, "generation": _COUNT}, {"etag": _TEXT, "lastModified": _TEXT}
    ),
)
_STATISTICS = _facet({"rowCount": _COUNT}, {"size": _COUNT})
_ASSERTIONS = _facet(
    {
        "assertions": {
            "type": "array",
            "minItems": 1,
            "items": _object(
                {"assertion": _TEXT, "success": {"type": "boolean"}},
                {
                    "column": _TEXT,
                    "severity": {"enum": ["error", "warn"]},
                    "name": _TEXT,
                    "params": {"maxProperties": 0},
                },
            ),
        }
    }
)
_INPUT = _facets(inputStatistics=_STATISTICS, dataQualityAssertions=_ASSERTIONS)
_OUTPUT = _facets(outputStatistics=_STATISTICS)


def _dataset(name: str, facets: dict[str, Any]) -> dict[str, Any]:
    return _object({"namespace": _TEXT, "name": _TEXT}, {"facets": _DATASET_FACETS, name: facets})


_PARENT = _facet(
    {
        "run": _object({"runId": _UUID}, {"facets": {"maxProperties": 0}}),
        "job": _object(_JOB, {"facets": {"maxProperties": 0}}),
    },
    {
        "root": _object(
            {
                "run": _object({"runId": _UUID}, {"facets": {"maxProperties": 0}}),
                "job": _object(_JOB, {"facets": {"maxProperties": 0}}),
            }
        )
    },
)
RUN_EVENT = _object(
    {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": _TIME,
        "producer": _URI,
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": _object(
            {"runId": _UUID},
            {
                "facets": _facets(
                    nominalTime=_facet({"nominalStartTime": _TIME}, {"nominalEndTime": _TIME}),
                    parent=_PARENT,
                    errorMessage=_facet({"message": _TEXT, "programmingLanguage": _TEXT}, {"stackTrace": _TEXT}),
                )
            },
        ),
        "job": _object(
            _JOB,
            {
                "facets": _facets(
                    jobType=_facet({"processingType": {"const": "BATCH"}, "integration": _TEXT}, {"jobType": _TEXT}),
                    sql=_facet({"query": _TEXT}, {"dialect": _TEXT}),
                    documentation=_facet({"description": _TEXT}, {"contentType": _TEXT}),
                )
            },
        ),
    },
    {
        "inputs": {"type": "array", "items": _dataset("inputFacets", _INPUT)},
        "outputs": {"type": "array", "items": _dataset("outputFacets", _OUTPUT)},
    },
)


def require_valid(event: dict[str, Any]) -> None:
    """Raises jsonschema's ValidationError, which names the place."""
    Draft202012Validator(RUN_EVENT, format_checker=FormatChecker()).validate(event)
