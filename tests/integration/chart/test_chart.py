"""What matters of the rendered chart: nobody reads it. The API server's own word on it is in `make e2e`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.integration.chart.rendered import CHART, SHAPES, Refused, environment, of_kind, pods, render

from pageviews_core import __version__


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return render(request.param)


def test_with_no_value_set_all_is_on_one_volume_and_no_secret_is_needed() -> None:
    objects = render()
    assert len(of_kind(objects, "PersistentVolumeClaim")) == 1
    assert "secret" not in json.dumps(objects).lower().replace("kubernetes.io/serviceaccount", "")
    assert {each["kind"] for each in objects} == {
        "CronJob", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "Role", "RoleBinding", "Service",
        "ServiceAccount",
    }  # fmt: skip


def test_every_pod_of_every_shape_is_restricted_and_bounded(shape: list[dict[str, Any]]) -> None:
    for name, pod in pods(shape).items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is name.endswith("-status-api"), name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
            assert ":latest" not in container["image"], name
            assert re.search(r":\d|@sha256:", container["image"]), name


def test_cron_jobs_are_bounded_in_time_and_tell_failures_apart(shape: list[dict[str, Any]]) -> None:
    jobs = of_kind(shape, "CronJob")
    assert len(jobs) == 2
    for job in jobs:
        component = job["metadata"]["labels"]["app.kubernetes.io/component"]
        spec = job["spec"]
        assert "suspend" not in spec  # whoever sets it keeps it
        assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
        period = {"ingestor": 600, "transformer": 300}[component]
        assert 60 < spec["startingDeadlineSeconds"] < period
        deadline = spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        assert deadline == {"ingestor": 3300, "transformer": 1800}[component]
        first, second = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        assert (first["action"], first["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
        assert (second["action"], second["onExitCodes"]["values"]) == ("FailJob", [64, 70, 78])
        assert second["onExitCodes"]["containerName"] == component
        assert len(job["metadata"]["name"]) <= 52


def test_the_status_service_has_the_least_rights() -> None:
    [role] = of_kind(render(), "Role")
    assert role["rules"] == [
        {
            "apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get"],
            "resourceNames": ["pv-wikipedia-pageviews-ingestor", "pv-wikipedia-pageviews-transformer"],
        },
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
    ]  # fmt: skip


def test_nudging_adds_one_verb_and_the_policy_that_confines_it() -> None:
    objects = render(nudge={"enabled": True})
    [role] = of_kind(objects, "Role")
    assert role["rules"][1]["verbs"] == ["list", "create"]
    [policy] = of_kind(objects, "ValidatingAdmissionPolicy")
    assert "paramKind" not in policy["spec"]  # an API server may lose its parameters
    [binding] = of_kind(objects, "ValidatingAdmissionPolicyBinding")
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    text = json.dumps(policy)
    for job in ("ingestor", "transformer"):
        assert f"pageviews-{job}:{__version__}" in text
        assert f"pv-wikipedia-pageviews-{job}" in text
    assert environment(pods(objects)["Deployment/pv-wikipedia-pageviews-status-api"])["PAGEVIEWS_NUDGE"] == "true"


def test_embedded_pods_go_to_the_volume_and_the_page_sees_the_store_alone() -> None:
    found = {name: pod for name, pod in pods(render()).items() if not name.startswith("Pod/")}
    assert len(found) == 3
    for pod in found.values():
        [term] = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == {"pageviews/volume": "pv-wikipedia-pageviews-data"}
        assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    page = found["Deployment/pv-wikipedia-pageviews-status-api"]["containers"][0]["volumeMounts"]
    assert {"name": "data", "mountPath": "/data/objects", "subPath": "objects"} in page
    assert "/data" not in [each["mountPath"] for each in page]
    [deployment] = of_kind(render(), "Deployment")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    [claim] = of_kind(render(), "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_production_has_no_volume_and_each_pod_its_own_secrets_alone() -> None:
    objects = render("production")
    assert of_kind(objects, "PersistentVolumeClaim") == []
    assert len(of_kind(objects, "PodDisruptionBudget")) == 1
    found = pods(objects)
    page = environment(found["Deployment/pv-wikipedia-pageviews-status-api"])
    assert not [name for name in page if name.startswith("SNOWFLAKE_") and name != "SNOWFLAKE_SCHEMA"]
    assert page["PAGEVIEWS_SESSION_KEY"]["secretKeyRef"]["name"] == "pageviews-status-api"
    for job in ("ingestor", "transformer"):
        pod = found[f"CronJob/pv-wikipedia-pageviews-{job}"]
        variables = environment(pod)
        assert variables["SNOWFLAKE_PRIVATE_KEY_FILE"] == "/run/secrets/pageviews/private_key.p8"
        assert variables["SNOWFLAKE_ROLE"] == f"PAGEVIEWS_{job.upper()}"
        references = [
            each["secretKeyRef"] for each in variables.values() if isinstance(each, dict) and "secretKeyRef" in each
        ]
        assert {each["name"] for each in references} == {f"pageviews-{job}"}
        assert all(each["optional"] for each in references)  # the program names what is missing
        assert ("PAGEVIEWS_CONTACT" in variables) is (job == "ingestor")
        assert ("PAGEVIEWS_RETAIN_FACTS" in variables) is (job == "transformer")


def test_two_releases_in_one_namespace_do_not_collide() -> None:
    names = [
        {(each["kind"], each["metadata"]["name"]) for each in render("everything", fullnameOverride=name)}
        for name in ("one", "two")
    ]
    assert not names[0] & names[1]


def test_openshift_chooses_the_users_itself() -> None:
    for pod in pods(render("openshift")).values():
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & pod["securityContext"].keys()


def test_large_numbers_and_truths_reach_the_environment_as_they_were_written() -> None:
    objects = render(settings={"PAGEVIEWS_MAX_BATCH_ROWS": 28000000, "PAGEVIEWS_THREADS": 4})
    variables = environment(pods(objects)["CronJob/pv-wikipedia-pageviews-transformer"])
    assert (variables["PAGEVIEWS_MAX_BATCH_ROWS"], variables["PAGEVIEWS_THREADS"]) == ("28000000", "4")


def test_what_the_page_can_be_called_follows_from_how_it_is_exposed() -> None:
    objects = render("everything", ingress={"enabled": True, "host": "page.example.org"})
    hosts = environment(pods(objects)["Deployment/pv-wikipedia-pageviews-status-api"])["PAGEVIEWS_ALLOWED_HOSTS"]
    assert {"page.example.org", "pageviews.example.org", "pageviews.internal", "localhost"} <= set(hosts.split(","))
    assert "pv-wikipedia-pageviews-status-api.data.svc" in hosts


def test_config_maps_of_dashboards_are_small_enough_to_apply() -> None:
    maps = of_kind(render(dashboards={"enabled": True}), "ConfigMap")
    assert maps
    for each in maps:
        assert len(json.dumps(each)) < 256 * 1024
        for content in each["data"].values():
            assert json.loads(content)["title"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"contcat": "me"}, "contcat"),
        ({"ingestor": {"shedule": "* * * * *"}}, "shedule"),
        ({"settings": {"PAGEVIEWS_STRAT": "2026-01-01T00"}}, "PAGEVIEWS_STRAT"),
        ({"ingestor": {"settings": {"PAGEVIEWS_RETAIN_FACTS": "9d"}}}, "PAGEVIEWS_RETAIN_FACTS"),
        ({"settings": {"SNOWFLAKE_PASSWORD": "x"}}, "SNOWFLAKE_PASSWORD"),
        ({"ingestor": {"schedule": "hourly"}}, "schedule"),
        ({"statusApi": {"replicas": 2}}, "replicas"),
        ({"warehouse": "snowflake"}, "store/url"),
        ({"warehouse": "bigquery"}, "warehouse"),
        ({"check": {"enabled": True}}, "check"),
        ({"ingress": {"enabled": True}}, "ingress.host is needed"),
        ({"statusApi": {"tokensFile": "tokens.json"}}, "existingSecret"),
        ({"fullnameOverride": "x" * 41}, "fullnameOverride"),
        ({"store": {"url": "gs://bucket"}}, "store/url"),
    ],
    ids=[
        "typo", "typo-below", "no-such-setting", "anothers-setting", "secret-in-values", "schedule",
        "replicas-embedded", "snowflake-without-store", "engine", "check-embedded", "no-host", "tokens-without-secret",
        "long-name", "store",
    ],
)  # fmt: skip
def test_wrong_values_are_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        render(**values)
    assert said in str(refused.value).replace(".", "/") or said in str(refused.value)


def test_every_value_is_described() -> None:
    """Each line of values.yaml that sets something has a comment of its own, or one of its parent's."""
    text = (CHART / "values.yaml").read_text()
    table = (CHART / "README.md").read_text()
    for name in ("contact", "ingestor.schedule", "persistence.size", "nudge.enabled", "proxy.no"):
        assert f"| `{name}` |" in table
    assert text.count("# --") == table.count("\n| `")
