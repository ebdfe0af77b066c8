"""What goes wrong on a cluster, and what must be true afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.cluster import CommandFailed
from tests.e2e.product import INGESTOR, NEVER, STATUS, TRANSFORMER, Product, install
from tests.e2e.stand_ins import dumps_server

SLOW_BYTES_PER_SECOND = 30_000
"""An hour of the demo takes some 8 s to come in, in which faults can strike."""


def slowly(product: Product, *, slow: bool) -> None:
    """The source from now on; all hours that it had are there again."""
    product.namespace.apply(dumps_server(hours=24, scale=0.3, bytes_per_second=SLOW_BYTES_PER_SECOND if slow else None))
    product.namespace.kubectl("rollout", "status", "deployment/dumps", "--timeout=60s")


def reload(product: Product, hour: str) -> str:
    """Asks for the hour once more; nothing starts it but a Job. Returns the request's id."""
    order = {"want": "reload", "hours": [hour], "force": True, "why": "e2e"}
    request: str = product.order("requests", order)["id"]
    return request


def request_done(product: Product, request: str, seconds: float = 120) -> None:
    """Runs Jobs of both kinds, one after the other, until the request is closed as done."""
    deadline = time.monotonic() + seconds
    while (state := product.api(f"requests/{request}")["summary"]["state"]) == "open":
        assert time.monotonic() < deadline, product.api(f"requests/{request}")
        for cron_job in (INGESTOR, TRANSFORMER):
            name = product.namespace.job(cron_job, f"{cron_job}-{time.time_ns() % 10**9}")
            product.namespace.job_ended(name)
        time.sleep(1)
    assert state == "done", product.api(f"requests/{request}")


def pod_deleted(product: Product) -> str:
    """In mid-load: the Job's next pod goes on, and the hour is loaded once."""
    return _struck(
        product, lambda pod: product.namespace.kubectl("delete", "pod", pod, "--grace-period=5", "--wait=false")
    )


def pod_deleted_at_once(product: Product) -> str:
    """The same without the time that it would be given to end."""
    return _struck(product, lambda pod: product.namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force"))


def pod_evicted(product: Product) -> str:
    """By the eviction API, as a drained node does: that counts as nobody's failure."""

    def evict(pod: str) -> str:
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": product.namespace.name},
        }
        path = f"/api/v1/namespaces/{product.namespace.name}/pods/{pod}/eviction"
        return product.namespace.kubectl("create", "--raw", path, "--filename", "-", given=json.dumps(body))

    return _struck(product, evict)


def _struck(product: Product, strike: Any) -> str:
    namespace, hour = product.namespace, product.complete()[0]
    request = reload(product, hour)
    name = namespace.job(INGESTOR, f"struck-{time.time_ns() % 10**9}")
    run = product.running("ingestor")
    [pod] = [each["metadata"]["name"] for each in namespace.pods_of(name) if each["status"]["phase"] == "Running"]
    strike(pod)
    ended = namespace.job_ended(name, 150)
    state = namespace.wait("the struck run's end", 90, lambda: _ended(product, run["id"]))
    request_done(product, request)
    pods = len(namespace.pods_of(name))
    assert ended == "Complete", ended
    return f"its run {state}, the Job {ended.lower()} with {pods} pod(s) left, {hour} loaded once"


def _ended(product: Product, run: str) -> str:
    state: str = product.api(f"runs/{run}")["summary"]["state"]
    return state if state != "running" else ""


def status_restarted(product: Product) -> str:
    """It keeps nothing of its own: what it says before and after is the same."""
    before = product.api("hours?limit=500")["items"]
    product.namespace.kubectl("rollout", "restart", f"deployment/{STATUS}")
    product.namespace.kubectl("rollout", "status", f"deployment/{STATUS}", "--timeout=90s")

    def same() -> bool:
        after = product.api("hours?limit=500")["items"]
        return [(each["hour"], each["state"], each["views"]) for each in after] == [
            (each["hour"], each["state"], each["views"]) for each in before
        ]

    product.namespace.wait("the same answer", 60, same)
    return f"{len(before)} hours told alike"


def two_at_once(product: Product) -> str:
    """Two manual Jobs for one hour: one loads it, the other leaves it."""
    namespace, hour = product.namespace, product.complete()[0]
    request = reload(product, hour)
    names = [namespace.job(INGESTOR, f"twin-{n}-{time.time_ns() % 10**9}") for n in (1, 2)]
    ends = [namespace.job_ended(name) for name in names]
    request_done(product, request)
    assert ends == ["Complete", "Complete"], ends
    return f"both complete, {hour} loaded once"


def out_of_memory(product: Product, given: dict[str, Any]) -> str:
    """A limit that is too low: the page shows the kill and what to do, and the old limit heals it."""
    namespace = product.namespace
    starved = {"resources": {"requests": {"memory": "20Mi"}, "limits": {"memory": "20Mi"}}}
    install(namespace, {**given, "ingestor": {**given["ingestor"], **starved}})
    name = namespace.job(INGESTOR, f"starved-{time.time_ns() % 10**9}")
    problem = product.wait_for_problem("died:OOMKilled", 120)
    namespace.kubectl("delete", "job", name)
    install(namespace, given)
    name = namespace.job(INGESTOR, f"fed-{time.time_ns() % 10**9}")
    assert namespace.job_ended(name) == "Complete"
    namespace.wait("the problem's end", 60, lambda: _gone(product, "died:"))
    return str(problem["title"])


def image_missing(product: Product, given: dict[str, Any]) -> str:
    """The page names the image and what holds up the ticks; the mended chart and the deleted Job heal it."""
    namespace = product.namespace
    broken = {**given["ingestor"], "image": {"repository": "no-such-image"}}
    install(namespace, {**given, "ingestor": broken})
    name = namespace.job(INGESTOR, f"unpulled-{time.time_ns() % 10**9}")
    problem = product.wait_for_problem("cannot_start:ingestor", 120)
    assert "no-such-image" in problem["detail"], problem
    namespace.kubectl("delete", "job", name)
    install(namespace, given)
    namespace.wait("the problem's end", 60, lambda: _gone(product, "cannot_start:"))
    return str(problem["title"])


def account_missing(product: Product) -> str:
    """A Job whose ServiceAccount is not there gets no pod, and says nothing: the page does."""
    namespace = product.namespace
    account = namespace.get("serviceaccount", INGESTOR)
    namespace.kubectl("delete", "serviceaccount", INGESTOR)
    name = namespace.job(INGESTOR, f"refused-{time.time_ns() % 10**9}")
    problem = product.wait_for_problem("refused:ingestor", 90)
    account["metadata"] = {key: account["metadata"][key] for key in ("name", "labels", "annotations")}
    namespace.apply([account])
    namespace.kubectl("delete", "job", name)
    return str(problem["detail"])[:110]


def cron_job_deleted(product: Product, given: dict[str, Any]) -> str:
    namespace = product.namespace
    namespace.kubectl("delete", "cronjob", TRANSFORMER)
    problem = product.wait_for_problem("cron_job_gone:transformer")
    install(namespace, given)
    namespace.wait("the problem's end", 60, lambda: _gone(product, "cron_job_gone"))
    return str(problem["title"])


def secret_missing(product: Product) -> str:
    """Credentials that are not there end the Job with 78, at once and once, and its last words are on the page."""
    namespace = product.namespace
    cron_job = namespace.get("cronjob", INGESTOR)
    template = cron_job["spec"]["jobTemplate"]
    container = template["spec"]["template"]["spec"]["containers"][0]
    for variable, value in (
        ("PAGEVIEWS_STORE_URL", "s3://pageviews/e2e"), ("PAGEVIEWS_S3_ENDPOINT_URL", "http://s3:7070"),
        ("PAGEVIEWS_S3_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true"),
    ):  # fmt: skip
        container["env"].append({"name": variable, "value": value})
    secret = {"secretKeyRef": {"name": "no-such-secret", "key": "AWS_ACCESS_KEY_ID", "optional": True}}
    container["env"].append({"name": "AWS_ACCESS_KEY_ID", "valueFrom": secret})
    name = f"unset-{time.time_ns() % 10**9}"
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": INGESTOR, "uid": cron_job["metadata"]["uid"]}
    metadata = {"name": name, "labels": template["metadata"]["labels"], "ownerReferences": [owner]}
    namespace.apply([{"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}])
    ended = namespace.job_ended(name)
    assert ended == "Failed", ended
    problem = product.wait_for_problem("died:Error")
    assert "exit code 78" in problem["title"], problem
    assert "credentials" in problem["detail"].lower(), problem
    pods = len(namespace.pods_of(name))
    assert pods == 1, pods
    namespace.job_ended(namespace.job(INGESTOR, f"after-{time.time_ns() % 10**9}"))
    namespace.wait("the problem's end", 60, lambda: _gone(product, "died:"))
    return str(problem["title"])


def upgraded_in_mid_run(product: Product, given: dict[str, Any]) -> str:
    """A run that is at work ends as it began; the next one has the new template."""
    namespace, hour = product.namespace, product.complete()[0]
    request = reload(product, hour)
    name = namespace.job(INGESTOR, f"through-{time.time_ns() % 10**9}")
    run = product.running("ingestor")
    install(namespace, {**given, "ingestor": {**given["ingestor"], "podAnnotations": {"e2e/upgraded": "yes"}}})
    assert namespace.job_ended(name) == "Complete"
    request_done(product, request)
    state = namespace.wait("the run's end", 60, lambda: _ended(product, run["id"]))
    install(namespace, given)
    assert state == "succeeded", state
    return f"the run {state}"


def _gone(product: Product, cause: str) -> bool:
    return not any(each["cause"].startswith(cause) for each in product.api("status")["problems"])


def store_down(product: Product, given: dict[str, Any], seconds: float) -> str:
    """The Service leads nowhere for a while: the page says so, Jobs end with 75, and all of it heals by itself."""
    namespace = product.namespace
    assert given["ingestor"]["schedule"] != NEVER
    began = time.monotonic()
    namespace.kubectl("patch", "service", "s3", "--patch", '{"spec":{"selector":{"app":"nowhere"}}}')
    problem = product.wait_for_problem("store_down", 90)
    ready = namespace.get("deployment", STATUS)["status"].get("readyReplicas", 0)
    assert ready == 2, ready  # who looks is told, and not turned away
    hours = len(product.complete())
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    namespace.kubectl("patch", "service", "s3", "--patch", '{"spec":{"selector":{"app":"s3"}}}')
    namespace.wait("the store again", 60, lambda: _gone(product, "store_down"))
    assert len(product.complete()) >= hours
    codes = {
        each["state"]["terminated"]["exitCode"]
        for pod in namespace.items("pods", "app.kubernetes.io/component in (ingestor, transformer)")
        for each in pod["status"].get("containerStatuses", [])
        if each["state"].get("terminated")
    }
    assert codes <= {0, 75}, codes
    return f"down for {seconds:.0f} s: “{problem['title']}”, exit codes {sorted(codes)}, healed"


def forbidden(product: Product) -> str:
    """Without its Role the page says what it cannot see, and goes on."""
    namespace = product.namespace
    binding = namespace.get("rolebinding", STATUS)
    namespace.kubectl("delete", "rolebinding", STATUS)
    problem = product.wait_for_problem("scheduler_unseen")
    assert "forbidden" in problem["detail"].lower(), problem
    binding["metadata"] = {key: binding["metadata"][key] for key in ("name", "labels", "annotations")}
    namespace.apply([binding])
    namespace.wait("sight again", 60, lambda: _gone(product, "scheduler_unseen"))
    return str(problem["detail"])[:110]


def tampered_jobs_refused(product: Product) -> str:
    """What the status service's account could do with the right to create Jobs, tried as that account."""
    template = product.namespace.get("cronjob", INGESTOR)["spec"]["jobTemplate"]
    labels: dict[str, str] = template["metadata"]["labels"]

    def attempt(change: Callable[[dict[str, Any]], None], labels: dict[str, str]) -> str:
        spec = json.loads(json.dumps(template["spec"]))
        change(spec["template"]["spec"])
        metadata = {"generateName": "tampered-", "labels": labels}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
        account = f"--as=system:serviceaccount:{product.namespace.name}:{STATUS}"
        try:
            product.namespace.kubectl("create", "--filename", "-", account, "--dry-run=server", given=json.dumps(job))
        except CommandFailed as exc:
            return str(exc)
        return "created"

    rightful = attempt(lambda pod: None, labels)
    assert rightful == "created", rightful
    refused = {change.__name__: attempt(change, labels) for change in _TAMPERINGS}
    refused["no_component"] = attempt(lambda pod: None, {"other": "label"})
    let_through = [name for name, answer in refused.items() if "denied request" not in answer]
    assert not let_through, {name: refused[name] for name in let_through}
    return f"refused: {', '.join(refused)}"


def other_image(pod: dict[str, Any]) -> None:
    pod["containers"][0]["image"] = "evil"


def other_command(pod: dict[str, Any]) -> None:
    pod["containers"][0]["command"] = ["sh", "-c", "env"]


def other_arguments(pod: dict[str, Any]) -> None:
    pod["containers"][0]["args"] = ["query", "select 1"]


def other_account(pod: dict[str, Any]) -> None:
    pod["serviceAccountName"] = "default"


def token(pod: dict[str, Any]) -> None:
    pod["automountServiceAccountToken"] = True


def secret_variable(pod: dict[str, Any]) -> None:
    reference = {"secretKeyRef": {"name": "page", "key": "PAGEVIEWS_SESSION_KEY"}}
    pod["containers"][0]["env"].append({"name": "PAGEVIEWS_CONTACT", "valueFrom": reference})


def all_of_a_secret(pod: dict[str, Any]) -> None:
    pod["containers"][0]["envFrom"] = [{"secretRef": {"name": "page"}}]


def other_value(pod: dict[str, Any]) -> None:
    [source] = [each for each in pod["containers"][0]["env"] if each["name"] == "PAGEVIEWS_SOURCE_URL"]
    source["value"] = "http://evil"


def other_variable(pod: dict[str, Any]) -> None:
    pod["containers"][0]["env"].append({"name": "PYTHONPATH", "value": "/data"})


def secret_volume(pod: dict[str, Any]) -> None:
    pod["volumes"].append({"name": "more", "secret": {"secretName": "page"}})


def mounted_over_the_program(pod: dict[str, Any]) -> None:
    pod["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/opt/venv", "subPath": "objects"})


def second_container(pod: dict[str, Any]) -> None:
    pod["containers"].append({**pod["containers"][0], "name": "second"})


def first_container(pod: dict[str, Any]) -> None:
    pod["initContainers"] = [{**pod["containers"][0], "name": "first"}]


def probe(pod: dict[str, Any]) -> None:
    pod["containers"][0]["livenessProbe"] = {"exec": {"command": ["env"]}}


_TAMPERINGS = (
    other_image, other_command, other_arguments, other_account, token, secret_variable, all_of_a_secret, other_value,
    other_variable, secret_volume, mounted_over_the_program, second_container, first_container, probe,
)  # fmt: skip
