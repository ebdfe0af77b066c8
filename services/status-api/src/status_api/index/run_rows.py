"""A run record as rows, without the model in between: there are a hundred thousand of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.records.run import RunRecord

_ERROR_KEPT = 2_000

RunRow = tuple[Any, ...]
HourRow = tuple[str, str, str, int | None, str | None]


class RunRows(NamedTuple):
    run: RunRow
    hours: list[HourRow]


def rows_of(body: bytes, key: str) -> RunRows:
    """Raises UnknownSchemaVersion for what is no run record of this version, as the model itself does."""
    try:
        return rows_of_content(from_json(body))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        RunRecord.decode(body, key)  # says it better
        raise UnknownSchemaVersion(f"{key} is not a RunRecord of this version: {exc}") from exc


def rows_of_content(content: Any) -> RunRows:
    """Raises KeyError, TypeError, ValueError or AttributeError where a field is missing or another thing."""
    if content["schema_version"] != RunRecord.version_supported:
        raise ValueError(f"schema_version {content['schema_version']!r}")
    run_id, hours, error = str(content["id"]), content["hours"], content["error"]
    named = sorted(each["hour"] for each in hours)
    steps: dict[str, float] = {}
    for step in content["steps"]:
        steps[step["name"]] = round(steps.get(step["name"], 0) + step["seconds"], 3)
    started, finished = content["started_at"], content["finished_at"]
    run = (
        run_id, content["job"], content["trigger"], content["request"], content["state"], _second(started),
        _second(finished) if finished else None, _between(started, finished) if finished else None,
        len(named), named[0] if named else None, named[-1] if named else None,
        sum(each["outcome"] == "failed" for each in hours), int(content["rows"]), int(content["bytes_downloaded"]),
        int(content["peak_memory_bytes"]), to_json(steps).decode(), error["type"] if error else None,
        error["message"][:_ERROR_KEPT] if error else None, content["host"], content["pod"], content["version"],
        content["pod_uid"],
    )  # fmt: skip
    return RunRows(run, [(each["hour"], run_id, each["outcome"], each["generation"], each["detail"]) for each in hours])


def _second(time: str) -> str:
    """To the second, as all times of the index."""
    return time[:19] + "Z"


def _between(started: str, finished: str) -> float:
    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
