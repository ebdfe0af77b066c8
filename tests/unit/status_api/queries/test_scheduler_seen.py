"""What Kubernetes says, in schedules, problems, runs and requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.samples import no_scheduler
from tests.unit.status_api.filled import NEWEST, NOW, OPERATOR, Filled, end

from pageviews_core import keys
from pageviews_core.records.control import Tick
from pageviews_core.records.run import Job
from status_api.queries.plans import Order
from status_api.queries.problems import find_problems
from status_api.queries.requests import read_request, submit
from status_api.queries.runs import deaths, read_run
from status_api.queries.schedules import Schedule, read_schedules
from status_api.scheduler.base import CronJob, Seen, Trouble

CRON_JOB = CronJob("pv-ingestor", exists=True, cron="*/10 * * * *", starting_deadline_seconds=540)


class Told:
    kind = "kubernetes"

    def __init__(self) -> None:
        self.seen = Seen()
        self.started: list[Job] = []

    def look(self, now: Any) -> Seen:
        return self.seen

    def start(self, job: Job, request_id: str) -> str:
        self.started.append(job)
        return "name"

    def command(self, job: Job, request_id: str) -> str | None:
        return f"kubectl create {job}"


@pytest.fixture
def told(filled: Filled) -> Told:
    return Told()


def see(filled: Filled, told: Told, *, nudges: bool = False, **seen: Any) -> None:
    told.seen = Seen(**seen)
    watch = filled.view.scheduler
    watch.scheduler = told  # type: ignore[assignment]
    watch.nudges = nudges
    watch.look()


def schedule_of(filled: Filled, job: Job = "ingestor") -> Schedule:
    return next(each for each in read_schedules(filled.view) if each.job == job)


def causes(filled: Filled) -> dict[str, Any]:
    view = filled.view
    return {problem.cause: problem for problem in find_problems(view, read_schedules(view))}


def ticked(at: datetime) -> Tick:
    return Tick(
        job="ingestor", at=at, outcome="idle", owed=0, run_id=None, seconds=1, store_requests=7, version="0.1.0"
    )


def test_the_cron_jobs_own_times_count(filled: Filled, told: Told) -> None:
    see(filled, told, cron_jobs={"ingestor": CRON_JOB})
    found = schedule_of(filled)
    assert (found.cron, found.platform.scheduler, found.platform.cron_job) == (
        "*/10 * * * *",
        "kubernetes",
        "pv-ingestor",
    )
    assert all(at.minute % 10 == 0 for at in found.next_ticks)


def test_a_tick_may_be_late_by_the_starting_deadline(filled: Filled, told: Told) -> None:
    see(filled, told, cron_jobs={"ingestor": replace(CRON_JOB, cron="4-54/10 * * * *")})
    tick = ticked(NOW - timedelta(minutes=22))
    filled.journal.put(keys.tick("ingestor"), tick)
    assert not schedule_of(filled).missed
    filled.journal.put(keys.tick("ingestor"), tick.model_copy(update={"at": NOW - timedelta(minutes=45)}))
    assert schedule_of(filled).missed


def test_no_tick_is_missed_while_a_run_goes_on_or_the_cron_job_is_suspended(filled: Filled, told: Told) -> None:
    old = ticked(NOW - timedelta(hours=3))
    filled.journal.put(keys.tick("ingestor"), old)
    assert schedule_of(filled).missed
    see(filled, told, cron_jobs={"ingestor": CronJob("pv-ingestor", exists=True, cron="*/10 * * * *", suspended=True)})
    found = schedule_of(filled)
    assert (found.missed, found.next_ticks) == (False, ())
    assert "cron_job_suspended:ingestor" in causes(filled)
    see(filled, told)
    filled.run(1, state="running", finished_at=None, started_at=NOW - timedelta(minutes=1))
    assert not schedule_of(filled).missed


def test_a_cron_job_that_is_gone_is_a_problem_and_ticks_no_more(filled: Filled, told: Told) -> None:
    see(filled, told, cron_jobs={"ingestor": CronJob("pv-ingestor", exists=False)})
    assert schedule_of(filled).next_ticks == ()
    assert "helm upgrade" in causes(filled)["cron_job_gone:ingestor"].remedy


def test_what_cannot_be_seen_is_one_problem(filled: Filled, told: Told) -> None:
    see(filled, told, blind_spots=("pods cannot be seen: Forbidden", "events cannot be seen: Forbidden"))
    assert (
        causes(filled)["scheduler_unseen"].detail == "pods cannot be seen: Forbidden; events cannot be seen: Forbidden"
    )


def test_a_pod_that_does_not_start_is_a_problem_while_it_does_not(filled: Filled, told: Told) -> None:
    trouble = Trouble("ingestor", "cannot_start", "ImagePullBackOff", "no-such:1", "pod-x", NOW)
    see(filled, told, troubles=(trouble,))
    found = causes(filled)["cannot_start:ingestor"]
    assert found.title == "The ingestor cannot start: ImagePullBackOff"
    assert "no-such:1" in found.detail
    see(filled, told)
    assert "cannot_start:ingestor" not in causes(filled)


def test_a_run_whose_pod_was_ended_is_lost_at_once_with_the_reason(filled: Filled) -> None:
    run = filled.run(1, state="running", finished_at=None, started_at=NOW, pod="pv-ingestor-1-x", pod_uid="uid-1")
    assert read_run(filled.view, run).summary.state == "running"
    filled.end(end())
    detail = read_run(filled.view, run)
    assert detail.summary.state == "lost"
    assert detail.end is not None
    assert detail.end.reason == "OOMKilled"
    assert detail.why_lost is not None
    assert "resources.limits.memory" in detail.why_lost
    assert "OOMKilled" in causes(filled)["run_lost"].detail
    assert deaths(filled.view) == ()


def test_a_run_that_said_its_end_keeps_it_whatever_its_pod_did(filled: Filled) -> None:
    run = filled.run(1, state="failed", pod="p", pod_uid="uid-1")
    filled.end(end(reason="Error", exit_code=75))
    assert read_run(filled.view, run).summary.state == "failed"


def test_a_pod_that_ended_before_its_run_is_a_problem_until_the_job_ticks(filled: Filled) -> None:
    filled.end(end(reason="Error", exit_code=78, detail="bad setting: SNOWFLAKE_ACCOUNT is not set"))
    filled.end(end(id="uid-2", reason="Error", exit_code=78, at=NOW - timedelta(seconds=5)))
    found = causes(filled)["died:Error"]
    assert found.title == "The ingestor ended before it could begin: Error, exit code 78"
    assert "SNOWFLAKE_ACCOUNT is not set (2 times)" in found.detail
    assert [each.exit_code for each in deaths(filled.view)] == [78, 78]
    later = ticked(NOW + timedelta(minutes=1))
    filled.journal.put(keys.tick("ingestor"), later)
    assert "died:Error" not in causes(filled)
    assert len(deaths(filled.view)) == 2


def test_a_pod_whose_tick_failed_has_said_so_itself(filled: Filled) -> None:
    filled.end(end(reason="Error", exit_code=75, started_at=NOW - timedelta(seconds=9)))
    filled.journal.put(keys.tick("ingestor"), ticked(NOW - timedelta(seconds=1)))
    assert "died:Error" not in causes(filled)


def test_a_request_says_what_starts_it_and_a_nudge_starts_it(filled: Filled, told: Told) -> None:
    filled.complete(NEWEST)
    see(filled, told)
    asked = submit(filled.view, Order(want="reload", hours=(NEWEST,), force=True), OPERATOR)
    assert told.started == []
    assert read_request(filled.view, asked.id).start_command == "kubectl create ingestor"
    see(filled, told, nudges=True)
    submit(filled.view, Order(want="run", hours=(NEWEST,), force=True), OPERATOR)
    assert told.started == ["transformer"]
    rows = filled.view.index.rows("select detail from audit where action = 'request.nudge'")
    assert [row["detail"] for row in rows] == ["started at once"]


def test_beside_watch_there_is_nothing_to_type(filled: Filled) -> None:
    assert no_scheduler().scheduler.command("ingestor", "R") is None
    assert schedule_of(filled).platform.scheduler == "watch"
