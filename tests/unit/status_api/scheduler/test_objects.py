from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.status_api.scheduler.objects_of import (
    CREATED,
    OURS,
    condition,
    cron_job,
    job,
    pod,
    terminated,
    waiting,
    warning,
)

from status_api.scheduler.objects import PATIENCE, cron_job_of, ends_in, found_among, troubles_in

BORN = datetime.fromisoformat(CREATED)
SOON, LATER = BORN + PATIENCE / 2, BORN + 2 * PATIENCE


def found(jobs: list[Any], pods: list[Any] | None = None, events: list[Any] | None = None) -> Any:
    return found_among(OURS, jobs, pods or [], events or [])  # type: ignore[arg-type]


def test_jobs_of_other_cron_jobs_are_not_ours() -> None:
    other = job("job-2", "other-release-ingestor")
    seen = found([job(), other], [pod("Failed", of="job-2", containerStatuses=terminated("Error", 1))])
    assert [content["metadata"]["uid"] for _, content in seen.jobs] == ["job-1"]
    assert list(ends_in(seen, LATER)) == []


@pytest.mark.parametrize(
    ("status", "reason", "code", "detail"),
    [
        ({"containerStatuses": terminated("OOMKilled", 137)}, "OOMKilled", 137, ""),
        ({"containerStatuses": terminated("Error", 78, "no SNOWFLAKE_ACCOUNT\n")}, "Error", 78, "no SNOWFLAKE_ACCOUNT"),
        ({"reason": "Evicted", "message": "low on disk"}, "Evicted", None, "low on disk"),
        (
            {"reason": "DeadlineExceeded", "message": "too long", "containerStatuses": terminated("Error", 143)},
            "DeadlineExceeded", 143, "too long",
        ),
        (
            {
                "containerStatuses": terminated("Error", 143),
                "conditions": [
                    {"type": "DisruptionTarget", "reason": "EvictionByEvictionAPI", "message": "drained",
                     "status": "True", "lastTransitionTime": CREATED}
                ],
            },
            "EvictionByEvictionAPI", 143, "drained",
        ),
        ({}, "Failed", None, ""),
    ],
    ids=["oom", "exit-78", "evicted", "deadline", "drained", "wordless"],
)  # fmt: skip
def test_how_a_pod_ended(status: dict[str, Any], reason: str, code: int | None, detail: str) -> None:
    [end] = ends_in(found([job()], [pod("Failed", **status)]), LATER)
    assert (end.id, end.job, end.pod) == ("pod-1", "ingestor", "name-of-pod-1")
    assert (end.reason, end.exit_code, end.detail) == (reason, code, detail)


def test_a_pod_that_succeeded_or_runs_has_no_end() -> None:
    pods = [pod("Succeeded", containerStatuses=terminated("Completed", 0)), pod("Running", uid="pod-2")]
    assert list(ends_in(found([job()], pods), LATER)) == []


def test_a_deadline_that_took_the_pod_with_it_is_told_by_the_job_and_the_last_warning() -> None:
    failed = job("job-1", "pageviews-transformer", condition("Failed", "DeadlineExceeded", "longer than 30 min"))
    events = [
        warning("job-1", "DeadlineExceeded", "longer than 30 min"),
        warning("job-1", "FailedCreate", "no such account", "2026-11-20T10:00:01Z"),
    ]
    [end] = ends_in(found([failed], [], events), LATER)
    assert (end.id, end.job, end.pod, end.reason) == ("job-1", "transformer", None, "DeadlineExceeded")
    assert end.detail == "longer than 30 min; no such account"


def test_the_last_lines_of_a_long_message_are_kept() -> None:
    [end] = ends_in(
        found([job()], [pod("Failed", containerStatuses=terminated("Error", 70, "x" * 5000 + "the error"))]), LATER
    )
    assert len(end.detail) == 2000
    assert end.detail.endswith("the error")


def test_an_image_that_cannot_be_pulled_is_told_at_once() -> None:
    statuses = waiting("ImagePullBackOff", 'Back-off pulling image "no-such:1"')
    [trouble] = troubles_in(found([job()], [pod("Pending", containerStatuses=statuses)]), SOON)
    assert (trouble.kind, trouble.reason, trouble.name) == ("cannot_start", "ImagePullBackOff", "name-of-pod-1")
    assert trouble.since == BORN


def test_a_pod_that_is_being_made_is_no_trouble() -> None:
    assert (
        list(troubles_in(found([job()], [pod("Pending", containerStatuses=waiting("ContainerCreating"))]), LATER)) == []
    )


def test_a_pod_that_finds_no_node_is_told_after_a_while() -> None:
    unplaced = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]
    seen = found([job()], [pod("Pending", conditions=unplaced)])
    assert list(troubles_in(seen, SOON)) == []
    [trouble] = troubles_in(seen, LATER)
    assert (trouble.kind, trouble.detail) == ("cannot_be_scheduled", "0/1 nodes")


def test_a_volume_that_cannot_be_mounted_is_told_by_its_event() -> None:
    seen = found([job()], [pod("Pending")], [warning("pod-1", "FailedMount", "no such claim")])
    [trouble] = troubles_in(seen, LATER)
    assert (trouble.kind, trouble.reason, trouble.detail) == ("cannot_start", "FailedMount", "no such claim")


def test_a_job_that_may_make_no_pod_is_told_by_its_event() -> None:
    refused = [warning("job-1", "FailedCreate", "exceeded quota")]
    assert list(troubles_in(found([job()], [], refused), SOON)) == []
    [trouble] = troubles_in(found([job()], [], refused), LATER)
    assert (trouble.kind, trouble.name, trouble.detail) == ("refused", "name-of-job-1", "exceeded quota")
    assert list(troubles_in(found([job()], [pod("Running")], refused), LATER)) == []


def test_a_job_that_has_ended_is_no_trouble() -> None:
    ended = job("job-1", "pageviews-ingestor", condition("Failed", "BackoffLimitExceeded"))
    pending = pod("Pending", containerStatuses=waiting("ImagePullBackOff"))
    assert list(troubles_in(found([ended], [pending]), LATER)) == []


def test_what_a_cron_job_says() -> None:
    seen = found([job(), job("job-2", "pageviews-ingestor", condition("Complete"))])
    known = cron_job_of("pageviews-ingestor", cron_job(suspend=True), "ingestor", seen)
    assert (known.cron, known.suspended, known.starting_deadline_seconds) == ("*/5 * * * *", True, 270)
    assert known.last_scheduled_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert known.running == ("name-of-job-1",)


def test_a_cron_job_that_is_gone() -> None:
    assert not cron_job_of("pageviews-ingestor", None, "ingestor", found([])).exists


def test_patience_is_shorter_than_a_tick() -> None:
    assert timedelta(minutes=1) > PATIENCE
