from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests import samples

from pageviews_core.errors import ExitCode, UnknownSchemaVersion
from pageviews_core.records.audit import AuditEntry
from pageviews_core.records.base import Record
from pageviews_core.records.control import Change, Recheck, Rechecks, Schedules, Settled, Start, Tick
from pageviews_core.records.failure import Failure
from pageviews_core.records.marker import IngestedMarker
from pageviews_core.records.note import Note
from pageviews_core.records.request import ClosedRequest, IdempotencyKey, Progress, Request
from pageviews_core.records.run import ErrorReport, HourOutcome, RunRecord, StepTiming

HOUR = samples.hour()
REQUEST = Request(id="r", kind="backfill", hours=(HOUR,), who="ann", why="a gap", created_at=samples.AT)
RECORDS: list[Record] = [
    samples.ingested_marker(HOUR),
    samples.transformed_marker(HOUR),
    Start(hour=HOUR),
    Settled(start=HOUR, before=HOUR + 1),
    Schedules(suspended=("ingestor",)),
    Rechecks(hours={str(HOUR): Recheck(checks=1, next_at=samples.AT)}),
    Tick(
        job="ingestor", at=samples.AT, outcome="idle", owed=0, run_id=None, seconds=0.1, store_requests=8,
        version="0.1.0",
    ),
    Change(kind="markers", key="markers/x"),
    Failure(
        stage="ingested", hour=HOUR, kind="failed", attempt=1, failing_since=samples.AT, at=samples.AT,
        next_try_at=samples.AT, error_type="SourceCorrupt", error="truncated", evidence=None, run_id="r",
    ),
    REQUEST,
    Progress(request="r", job="ingestor", hour=HOUR, outcome="done", run_id="r", at=samples.AT),
    ClosedRequest(request=REQUEST, outcome="failed", failed_hours=(HOUR,), closed_at=samples.AT),
    IdempotencyKey(request="r", digest="d", created_at=samples.AT),
    Note(id="n", hour=HOUR, who="w", reason="y", created_at=samples.AT, until=samples.AT),
    AuditEntry(
        id="a", at=samples.AT, who="w", role="operator", address=None, action="note.create", target="t",
        outcome="done", detail="",
    ),
    RunRecord(
        id="r", job="ingestor", trigger="schedule", request=None, hours=(HourOutcome(hour=HOUR, outcome="done"),),
        state="failed", error=ErrorReport(type="T", message="m", traceback="t"),
        steps=(StepTiming(name="load", hours=(HOUR,), started_at=samples.AT, seconds=1.5, succeeded=True),),
        bytes_downloaded=1, rows=2, peak_memory_bytes=3, host="h", pod=None, pod_uid=None, version="0.1.0",
        started_at=samples.AT, finished_at=None,
    ),
]  # fmt: skip


def changed(record: Record, **changes: Any) -> bytes:
    return json.dumps({**json.loads(record.encode()), **changes}).encode()


every_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)


@every_record
def test_a_record_comes_back_as_it_was_written(record: Record) -> None:
    assert type(record).decode(record.encode(), "key") == record


@every_record
@pytest.mark.parametrize("version", [2, 0, -1, "1", None, 1.5, [1], 10**30])
def test_another_schema_version_is_refused_by_name_and_key(record: Record, version: object) -> None:
    with pytest.raises(UnknownSchemaVersion, match=r"some/key\.json") as caught:
        type(record).decode(changed(record, schema_version=version), "some/key.json")
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@every_record
def test_a_field_of_a_newer_version_is_refused_even_under_the_old_number(record: Record) -> None:
    with pytest.raises(UnknownSchemaVersion, match="novel_field"):
        type(record).decode(changed(record, novel_field=1), "key")


@every_record
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"1", b"{}", b"\xff\xfe", b"<html>"])
def test_what_is_no_record_at_all_is_refused(record: Record, data: bytes) -> None:
    with pytest.raises(UnknownSchemaVersion, match="key"):
        type(record).decode(data, "key")


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    with pytest.raises(UnknownSchemaVersion):
        Start.decode(data, "key")


@pytest.mark.parametrize("value", [5, None, True, [], {}, "2026-11-20", "2026-11-20T24"])
def test_a_bad_hour_in_a_record_is_refused(value: object) -> None:
    with pytest.raises(UnknownSchemaVersion, match="control/start"):
        Start.decode(changed(RECORDS[2], hour=value), "control/start.json")


@pytest.mark.parametrize(
    "text", ["2026-11-20T10:20:00", "2026-11-20T10:20:00+01:00", "2026-11-20T10:20:00-05:00", "soon"]
)
def test_a_time_without_a_zone_or_in_another_than_utc_is_refused(text: str) -> None:
    with pytest.raises(UnknownSchemaVersion):
        IngestedMarker.decode(changed(RECORDS[0], started_at=text), "key")


@pytest.mark.parametrize(
    "at", [datetime.fromisoformat("2026-11-20T10:00"), datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=1)))]
)
def test_a_record_cannot_be_made_with_such_a_time(at: datetime) -> None:
    with pytest.raises(ValidationError):
        Recheck(checks=0, next_at=at)


def test_a_zone_that_is_utc_by_another_name_is_taken() -> None:
    assert Recheck(checks=0, next_at=datetime(2026, 11, 20, tzinfo=timezone(timedelta(0)))).next_at == datetime(
        2026, 11, 20, tzinfo=UTC
    )


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        RECORDS[2].hour = HOUR  # type: ignore[attr-defined]


def test_records_are_written_with_their_version_so_that_a_person_can_read_them() -> None:
    text = Settled(start=HOUR, before=HOUR + 1, written_as="x").encode().decode()
    assert json.loads(text) == {
        "schema_version": 1, "start": "2026-11-20T09", "before": "2026-11-20T10", "written_as": "x",
    }  # fmt: skip
    assert "\n" in text


def test_every_kind_of_record_is_tried_here() -> None:
    modules = {
        f"pageviews_core.records.{name}" for name in ("audit", "control", "failure", "marker", "note", "request", "run")
    }
    there = {kind for kind in Record.__subclasses__() if kind.__module__ in modules}
    assert there == {type(record) for record in RECORDS}
