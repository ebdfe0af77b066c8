"""The adapter over HTTP; what the real API server does is proved by `make e2e`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.tools.kubernetes_api import NAMESPACE, KubernetesAPI
from tests.unit.status_api.scheduler.objects_of import CREATED, cron_job, job, pod, terminated

from pageviews_core.errors import ConfigurationError
from status_api.scheduler.base import CannotStart
from status_api.scheduler.kubernetes import KubernetesScheduler

NOW = datetime.fromisoformat(CREATED) + timedelta(minutes=1)
REQUEST = "01JD4Q2Z5VABCDEFGHJKMNPQRS"
INGESTOR, TRANSFORMER = "pageviews-ingestor", "pageviews-transformer"


@pytest.fixture
def api() -> Iterator[KubernetesAPI]:
    with KubernetesAPI() as api:
        api.cron_jobs = {name: cron_job(name) for name in (INGESTOR, TRANSFORMER)}
        yield api


@pytest.fixture
def scheduler(api: KubernetesAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesScheduler:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
    return KubernetesScheduler({"ingestor": INGESTOR, "transformer": TRANSFORMER})


def test_one_look_joins_cron_jobs_jobs_and_pods(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    api.listed["jobs"] = [job()]
    api.listed["pods"] = [pod("Failed", containerStatuses=terminated("OOMKilled", 137))]
    seen = scheduler.look(NOW)
    assert seen.cron_jobs["ingestor"].running == ("name-of-job-1",)
    assert [end.reason for end in seen.ends] == ["OOMKilled"]
    assert seen.blind_spots == ()


def test_it_asks_for_no_more_than_its_role_grants(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    scheduler.look(NOW)
    base = f"/namespaces/{NAMESPACE}/"
    assert sorted(path.split(base)[1] for path, _ in api.asked) == [
        f"cronjobs/{INGESTOR}", f"cronjobs/{TRANSFORMER}", "events", "jobs", "pods",
    ]  # fmt: skip
    assert all("limit" in query for path, query in api.asked if "cronjobs" not in path)


def test_what_is_forbidden_is_said_and_the_rest_is_seen(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    api.listed["jobs"] = [job()]
    api.refuse = {"events"}
    seen = scheduler.look(NOW)
    assert seen.blind_spots == ("events cannot be seen: Forbidden: events is forbidden: may not be listed",)
    assert seen.cron_jobs["ingestor"].exists


def test_without_pods_nothing_is_said_to_have_ended(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": CREATED}
    api.listed["jobs"] = [job("job-1", INGESTOR, failed)]
    api.refuse = {"pods"}
    assert scheduler.look(NOW).ends == ()


def test_a_cron_job_that_is_gone_is_not_one_that_cannot_be_seen(
    scheduler: KubernetesScheduler, api: KubernetesAPI
) -> None:
    del api.cron_jobs[TRANSFORMER]
    api.refuse = set()
    seen = scheduler.look(NOW)
    assert not seen.cron_jobs["transformer"].exists
    api.refuse = {"cronjobs"}
    assert scheduler.look(NOW).cron_jobs == {}


def test_an_api_server_that_is_away_is_said_in_one_line_each(
    api: KubernetesAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
    scheduler = KubernetesScheduler({"ingestor": INGESTOR})
    api.__exit__(None, None, None)
    seen = scheduler.look(NOW)
    api.__enter__()
    assert len(seen.blind_spots) == 4
    assert all("the API server does not answer" in line and "\n" not in line for line in seen.blind_spots)


def test_a_job_is_made_of_the_cron_jobs_own_template(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    name = scheduler.start("ingestor", REQUEST)
    assert name == "pageviews-ingestor-ghjkmnpqrs"
    made = api.created[name]
    assert made["spec"]["template"] == api.cron_jobs[INGESTOR]["spec"]["jobTemplate"]["spec"]["template"]
    assert made["metadata"]["labels"]["pageviews/trigger"] == "request"
    assert made["metadata"]["annotations"]["pageviews/request"] == REQUEST
    [owner] = made["metadata"]["ownerReferences"]
    assert "controller" not in owner
    assert "blockOwnerDeletion" not in owner
    assert owner["uid"] == f"uid-of-{INGESTOR}"


def test_a_double_click_starts_one_job(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    assert scheduler.start("ingestor", REQUEST) == scheduler.start("ingestor", REQUEST)
    assert len(api.created) == 1


def test_a_refused_start_says_why(scheduler: KubernetesScheduler, api: KubernetesAPI) -> None:
    api.refuse = {"create"}
    with pytest.raises(CannotStart, match="Forbidden: may not create jobs"):
        scheduler.start("ingestor", REQUEST)
    del api.cron_jobs[INGESTOR]
    with pytest.raises(CannotStart, match="there is no CronJob pageviews-ingestor"):
        scheduler.start("ingestor", REQUEST)


def test_the_line_that_a_person_types_names_namespace_cron_job_and_a_valid_name(scheduler: KubernetesScheduler) -> None:
    command = scheduler.command("transformer", REQUEST)
    assert command is not None
    assert command.startswith(f"kubectl -n {NAMESPACE} create job --from=cronjob/{TRANSFORMER} {TRANSFORMER}-")
    assert command.split()[-1].islower()


def test_without_a_cluster_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_SCHEDULER=kubernetes needs"):
        KubernetesScheduler({"ingestor": INGESTOR})
