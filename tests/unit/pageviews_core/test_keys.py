from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.keys import FailureKey
from pageviews_core.object_store.key_rules import check_key
from pageviews_core.records.failure import FailureKind
from pageviews_core.records.marker import Stage
from pageviews_core.records.request import ProgressOutcome
from pageviews_core.records.run import Job

hours = st.integers(0, 70_000_000).map(lambda offset: Hour.parse("1970-01-01T00") + offset)
stages = st.sampled_from(get_args(Stage))
jobs = st.sampled_from(get_args(Job))
moments = st.integers(0, 250_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
failure_keys = st.builds(FailureKey, hours, st.integers(1, 99_999), moments, st.sampled_from(get_args(FailureKind)))


@given(stages, hours, st.integers(1, 10**6))
def test_a_markers_key_tells_hour_and_generation(stage: Stage, hour: Hour, generation: int) -> None:
    key = keys.marker(stage, hour, generation)
    check_key(key)
    assert key.startswith(keys.markers(stage))
    assert keys.parse_marker(key) == (hour, generation)


@given(stages, failure_keys)
def test_a_failures_key_tells_all_that_planning_needs(stage: Stage, failure: FailureKey) -> None:
    key = keys.failure(stage, failure)
    check_key(key)
    assert key.startswith(keys.failures(stage))
    assert keys.parse_failure(key) == failure


@given(stages, failure_keys, failure_keys)
def test_failures_sort_by_hour_and_then_by_attempt(stage: Stage, one: FailureKey, other: FailureKey) -> None:
    if (one.hour, one.attempt) < (other.hour, other.attempt):
        assert keys.failure(stage, one) < keys.failure(stage, other)


@given(jobs, hours, st.sampled_from(get_args(ProgressOutcome)))
def test_progress_tells_hour_and_outcome(job: Job, hour: Hour, outcome: ProgressOutcome) -> None:
    key = keys.progress("01JD4Q2Z5V0000000000000001", job, hour, outcome)
    check_key(key)
    assert key.startswith(keys.progress_of("01JD4Q2Z5V0000000000000001", job))
    assert keys.parse_progress(key) == (hour, outcome)


@pytest.mark.parametrize(
    "key",
    [
        "markers", "markers/ingested", "markers/ingested/2026/11/20/9/1.json", "markers/ingested/2026/11/20/09/x.json",
        "markers/ingested/2026/11/20/09/1", "markers/ingested/2026/11/20/09/1.txt",
        "markers/ingested/2026/11/20/09/-1.json",
        "markers/ingested/2026/11/20/09/0.json", "markers/ingested/2026/11/20/09/1/1.json",
    ],
)  # fmt: skip
def test_another_key_is_no_marker(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        keys.parse_marker(key)


@pytest.mark.parametrize(
    "key",
    [
        "failures/ingested", "failures/ingested/2026/11/20/09/1.json",
        "failures/ingested/2026/11/20/09/00001-20261120T100000Z-odd.json",
        "failures/ingested/2026/11/20/09/00001-20261320T100000Z-failed.json",
        "failures/ingested/2026/11/20/09/x-20261120T100000Z-failed.json",
        "failures/ingested/2026/11/20/09/00001-20261120T100000Z-failed",
    ],
)  # fmt: skip
def test_another_key_is_no_failure(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        keys.parse_failure(key)


@pytest.mark.parametrize("key", ["progress/x", "progress/x/ingestor/2026/11/20/09/odd.json"])
def test_another_key_is_no_progress(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        keys.parse_progress(key)


def test_a_runs_folder_is_found_from_its_id_alone() -> None:
    run_id = str(ULID.from_datetime(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)))
    assert keys.run(run_id) == f"runs/2026/11/20/{run_id}"
    assert keys.run_record(run_id) == f"runs/2026/11/20/{run_id}/run.json"
    assert keys.time_of(run_id) == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def test_restated_files_and_attempts_have_keys_of_their_own() -> None:
    hour = Hour.parse("2026-11-20T09")
    name = "pageviews-20261120-100000.gz"
    assert keys.raw(hour, name, "a" * 64) != keys.raw(hour, name, "b" * 64)
    assert keys.raw(hour, name, "a" * 64).endswith(f"/{name}")
    assert keys.landing(hour, "run-1") != keys.landing(hour, "run-2")
    assert keys.quarantine(hour, "run-1") != keys.quarantine(hour, "run-2")
    assert keys.evidence(hour, "a" * 64) != keys.evidence(hour, "b" * 64)
