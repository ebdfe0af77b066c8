"""The default shape: one volume, DuckDB and a folder store."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from pageviews_core.hour import Hour
from tests.e2e import faults
from tests.e2e.cluster import CommandFailed, Namespace, memory_of, run
from tests.e2e.product import (
    EVERY_MINUTE,
    INGESTOR,
    NEVER,
    RELEASE,
    STATUS,
    TRANSFORMER,
    Product,
    install,
    make_token,
    opened,
    reconciled,
    values,
)
from tests.e2e.report import Report
from tests.e2e.stand_ins import dumps_server
from tests.tools.dumps_server import DumpsServer
from tests.tools.published_hours import DerivedHours
from tests.tools.system_tools import chromium

_SCALE = 0.3
_MOST_AT_REST_MIB = 128
_PICTURES = Path("build/e2e")


def prove(namespace: Namespace, report: Report, newest: Hour) -> None:
    namespace.apply(dumps_server(hours=24, scale=_SCALE))
    namespace.kubectl("rollout", "status", "deployment/dumps", "--timeout=120s")
    token = make_token(namespace)
    at_rest = values(str(newest + -3), NEVER)
    ticking = values(str(newest + -3), EVERY_MINUTE)
    report.step("helm install, no hour yet", lambda: install(namespace, ticking) and "installed, the page ready")
    with opened(namespace, token) as product:
        _by_its_schedule(product, report, newest)
        _rights(product, report, at_rest)
        _faults(product, report, at_rest)
    _uninstalled(namespace, report, at_rest, token)


def _by_its_schedule(product: Product, report: Report, newest: Hour) -> None:
    namespace = product.namespace
    report.step("real ticks load and build four hours", lambda: f"{product.wait_for_hours(4, 200):.0f} s")
    report.step("a backfill from the page, in Chromium", lambda: _backfill(product, newest))
    report.step(
        "facts reconcile with the markers", lambda: "{} hours, {:,} rows, {:,} views".format(*reconciled(product))
    )
    report.step("helm test", lambda: " ".join(namespace.helm("test", RELEASE, "--logs").split())[-160:])
    report.step("suspend and resume", lambda: _suspended(product))
    report.step("the page", lambda: _pictures(product))
    report.step("memory of the status service", lambda: _memory(product))
    print(namespace.kubectl("get", "cronjobs,jobs,pods,deployments,services,persistentvolumeclaims"), flush=True)


def _rights(product: Product, report: Report, given: dict[str, Any]) -> None:
    namespace = product.namespace
    report.step("least rights (kubectl auth can-i)", lambda: _can(namespace))
    nudging = {**given, "nudge": {"enabled": True}}
    report.step("nudge on", lambda: install(namespace, nudging) and "upgraded")
    report.step("a request starts its Job at once", lambda: _nudged(product))
    report.step("Jobs that are not the template", lambda: faults.tampered_jobs_refused(product))
    install(namespace, given)


def _faults(product: Product, report: Report, given: dict[str, Any]) -> None:
    faults.slowly(product, slow=True)
    report.step("pod deleted in mid-load", lambda: faults.pod_deleted(product))
    report.step("pod deleted without grace", lambda: faults.pod_deleted_at_once(product))
    report.step("pod evicted in mid-load", lambda: faults.pod_evicted(product))
    report.step("two manual runs at once", lambda: faults.two_at_once(product))
    report.step("helm upgrade in mid-run", lambda: faults.upgraded_in_mid_run(product, given))
    faults.slowly(product, slow=False)
    report.step("status service restarted", lambda: faults.status_restarted(product))
    report.step("out of memory", lambda: faults.out_of_memory(product, given))
    report.step("image that cannot be pulled", lambda: faults.image_missing(product, given))
    report.step("ServiceAccount missing", lambda: faults.account_missing(product))
    report.step("settings missing", lambda: faults.secret_missing(product))
    report.step("CronJob deleted by hand", lambda: faults.cron_job_deleted(product, given))
    report.step("Kubernetes forbids", lambda: faults.forbidden(product))
    report.step("facts after all of it", lambda: "{} hours, {:,} rows, {:,} views".format(*reconciled(product)))


def _uninstalled(namespace: Namespace, report: Report, given: dict[str, Any], token: str) -> None:
    def leaves_the_volume() -> str:
        namespace.helm("uninstall", RELEASE, "--wait")
        claim = namespace.get("persistentvolumeclaim", f"{RELEASE}-data")
        install(namespace, given)
        with opened(namespace, token) as product:
            took = product.wait_for_hours(4, 60)
        return f"the claim is {claim['status']['phase']}; installed again, all hours told after {took:.0f} s"

    report.step("a wrong storage class", lambda: _other_class(namespace, given))
    report.step("two releases in one namespace", lambda: _second_release(namespace, given))
    report.step("uninstall leaves the volume", leaves_the_volume)
    report.step("backup, and restore to a new volume", lambda: _restored(namespace, given, token))


def _other_class(namespace: Namespace, given: dict[str, Any]) -> str:
    try:
        install(namespace, {**given, "persistence": {**given["persistence"], "storageClass": "other"}})
    except CommandFailed as exc:
        said = str(exc)
    else:
        raise AssertionError("Helm took another class for a claim that is there")
    assert "cannot be changed" in said, said
    return "Helm says: " + said[said.index("persistence.storageClass") :].strip()[:120]


def _second_release(namespace: Namespace, given: dict[str, Any]) -> str:
    """Each page knows its own CronJobs alone."""
    other = {**given, "fullnameOverride": "other"}
    install(namespace, other, release="other")
    with namespace.forwarded("other-status-api", 80) as url:
        page = Product(namespace, url, "")
        namespace.wait("the other page", 60, lambda: page.api("status"))

        def its_own() -> list[str]:
            found = [str(each["platform"]["cron_job"]) for each in page.api("schedules")]
            return found if found == ["other-ingestor", "other-transformer"] else []

        seen = namespace.wait("its CronJobs", 60, its_own)
        hours = page.complete()
    namespace.helm("uninstall", "other", "--wait")
    namespace.kubectl("delete", "persistentvolumeclaim", "other-data", "--wait=false")
    assert hours == [], hours
    return f"the other's page sees {', '.join(seen)}, and none of the first's hours"


def _restored(namespace: Namespace, given: dict[str, Any], token: str) -> str:
    """As docs/kubernetes.md says, with its own keeper pod; no job is at work."""
    claim = f"{RELEASE}-data"
    with opened(namespace, token) as product:
        before = reconciled(product)
    with tempfile.TemporaryDirectory() as folder:
        backup = Path(folder) / "pageviews.tar"
        _kept(namespace, ["sh", "-c", "cd /data && tar --create objects/* warehouse.duckdb"], taken=backup)
        namespace.helm("uninstall", RELEASE, "--wait")
        namespace.kubectl("delete", "jobs", "--all")  # their pods hold the claim
        namespace.kubectl("delete", "persistentvolumeclaim", claim)
        size = backup.stat().st_size
        install(namespace, given)
        _kept(namespace, ["tar", "--extract", "--directory", "/data"], given=backup)
    namespace.kubectl("rollout", "restart", f"deployment/{STATUS}")
    namespace.kubectl("rollout", "status", f"deployment/{STATUS}", "--timeout=90s")
    with opened(namespace, token) as product:
        product.wait_for_hours(before[0], 60)
        after = reconciled(product)
    assert before == after, (before, after)
    return f"{size / 1024**2:.0f} MiB; {after[0]} hours, {after[1]:,} rows, {after[2]:,} views as before"


def _kept(namespace: Namespace, command: list[str], *, taken: Path | None = None, given: Path | None = None) -> None:
    namespace.kubectl("apply", "--filename", "docs/kubernetes/keeper.yaml")
    namespace.kubectl("wait", "--for=condition=Ready", "pod/keeper", "--timeout=60s")
    line = ["kubectl", "--namespace", namespace.name, "exec", "--stdin", "keeper", "--", *command]
    with (taken or Path("/dev/null")).open("wb") as out, (given or Path("/dev/null")).open("rb") as source:
        subprocess.run(line, stdin=source, stdout=out, check=True)
    namespace.kubectl("delete", "pod", "keeper")


def measure(namespace: Namespace, hour: Hour) -> str:
    """From the start of a tick to the marker of one hour, by both jobs: on the cluster, and as plain processes."""
    namespace.apply(dumps_server(hours=24, scale=_SCALE))
    namespace.kubectl("rollout", "status", "deployment/dumps", "--timeout=120s")
    make_token(namespace)
    install(namespace, values(str(hour), NEVER))
    began = time.monotonic()
    for cron_job in (INGESTOR, TRANSFORMER):
        name = namespace.job(cron_job, f"{cron_job}-first")
        namespace.kubectl("wait", "--for=condition=Complete", f"job/{name}", "--timeout=120s")
    on_cluster = time.monotonic() - began
    starts = sum(_pod_start(namespace, cron_job) for cron_job in (INGESTOR, TRANSFORMER))
    with tempfile.TemporaryDirectory() as folder, DumpsServer([hour], source=DerivedHours(_SCALE)) as server:
        environment = {
            **os.environ, "LOCAL_DATA_DIR": folder, "PAGEVIEWS_SOURCE_URL": server.url, "PAGEVIEWS_START": str(hour),
            "PAGEVIEWS_CONTACT": "e2e@example.org", "PAGEVIEWS_RECHECK_WINDOW": "0s", "KUBECONFIG": "",
        }  # fmt: skip
        command = [sys.executable, "-m", "transformer", "prepare", f"{folder}/manifest"]
        subprocess.run(command, env=environment, check=True, capture_output=True)  # as the image is built
        environment["PAGEVIEWS_DBT_MANIFEST"] = f"{folder}/manifest/partial_parse.msgpack"
        began = time.monotonic()
        for module in ("ingestor", "transformer"):
            subprocess.run([sys.executable, "-m", module, "run"], env=environment, check=True, capture_output=True)
        plain = time.monotonic() - began
    ratio = (on_cluster - starts) / plain
    return (
        f"{on_cluster:.1f} s on the cluster, {starts:.1f} s of it two pods' start; {plain:.1f} s plain: {ratio:.2f} x"
    )


def _pod_start(namespace: Namespace, cron_job: str) -> float:
    """A pod of the same image and mounts that does nothing."""
    spec = namespace.get("cronjob", cron_job)["spec"]["jobTemplate"]["spec"]
    container = spec["template"]["spec"]["containers"][0]
    container["command"], container["args"] = ["true"], []
    name = f"{cron_job}-nothing"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
    began = time.monotonic()
    namespace.apply([job])
    namespace.kubectl("wait", "--for=condition=Complete", f"job/{name}", "--timeout=60s")
    return time.monotonic() - began


def _backfill(product: Product, newest: Hour) -> str:
    product.api("status")  # it answers
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{product.url}/sign-in")
        page.locator("#token").fill(product.token)
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{product.url}/requests/new")
        page.locator("#since").fill(str(newest + -3))
        page.locator("#until").fill(str(newest))
        page.locator("#force").check()
        page.locator("#why").fill("e2e")
        page.get_by_role("button", name="Dry run").click()
        said = " ".join(page.locator("section.card p").first.inner_text().split())
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/requests/0*")
        command = page.locator("code", has_text="kubectl").first.inner_text()
        request = page.url.rsplit("/", 1)[1]
        browser.close()
    assert "3 hours" in said, said
    run(command.split())  # the line that the page shows
    product.namespace.job_ended(command.split()[-1])
    product.namespace.job_ended(product.namespace.job(TRANSFORMER, "after-the-backfill"))
    took = product.wait_for_request(request, 90)
    return f"“{said[:40]}…”, done {took:.0f} s after “{command}”"


def _suspended(product: Product) -> str:
    def outcome(wanted: set[str]) -> str:
        [job] = [each for each in product.api("schedules") if each["job"] == "ingestor"]
        return str(job["last_tick_outcome"]) if job["last_tick_outcome"] in wanted else ""

    told = []
    for change, wanted in (("suspend", {"suspended"}), ("resume", {"idle", "worked"})):
        product.order(f"schedules/ingestor/{change}")
        product.namespace.job_ended(product.namespace.job(INGESTOR, f"after-{change}"))
        told.append(product.namespace.wait("its tick on the page", 30, lambda wanted=wanted: outcome(wanted)))  # type: ignore[misc]
    return f"the ticks after them: {', '.join(told)}"


def _pictures(product: Product) -> str:
    _PICTURES.mkdir(parents=True, exist_ok=True)
    product.api("status")  # it answers
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for path in ("", "schedules", "runs"):
            page.goto(f"{product.url}/{path}")
            page.screenshot(path=_PICTURES / f"{path or 'overview'}.png", full_page=True)
        page.goto(product.url)
        sentence = page.locator("h1").inner_text()
        browser.close()
    assert sentence.startswith("Data complete to"), sentence
    return f"“{sentence}”; pictures in {_PICTURES}"


def _memory(product: Product) -> str:
    found = memory_of(product.metrics())
    assert found <= _MOST_AT_REST_MIB, found
    return f"{found:.0f} MiB at rest"


def _can(namespace: Namespace) -> str:
    allowed = [
        ("list", "jobs"),
        ("list", "pods"),
        ("list", "events"),
        *(("get", f"cronjobs/{n}") for n in (INGESTOR, TRANSFORMER)),
    ]
    refused = [
        ("create", "jobs"), ("get", "secrets"), ("list", "secrets"), ("delete", "pods"), ("get", "pods/log"),
        ("patch", f"cronjobs/{INGESTOR}"), ("list", "cronjobs"), ("create", "pods"), ("list", "configmaps"),
    ]  # fmt: skip
    for verb, what in allowed:
        assert namespace.can(STATUS, verb, what), (verb, what)
    for verb, what in refused:
        assert not namespace.can(STATUS, verb, what), (verb, what)
    for account in (INGESTOR, TRANSFORMER):
        for verb, what in [*allowed, *refused]:
            assert not namespace.can(account, verb, what), (account, verb, what)
    return f"{len(allowed)} allowed, {len(refused)} refused; the jobs' accounts may do nothing"


def _nudged(product: Product) -> str:
    began = time.monotonic()
    request = faults.reload(product, product.complete()[0])

    def job() -> dict[str, Any]:
        found = product.namespace.items("jobs", "pageviews/trigger=request")
        return next((each for each in found if each["metadata"]["annotations"]["pageviews/request"] == request), {})

    name = product.namespace.wait("the Job of the request", 20, job)["metadata"]["name"]
    assert product.namespace.job_ended(name) == "Complete"
    took = time.monotonic() - began
    faults.request_done(product, request)
    events = product.namespace.items("events")
    warned = [each for each in events if each["reason"] == "UnexpectedJob" and name in each["message"]]
    assert not warned, warned
    try:
        product.namespace.get("job", name)
    except CommandFailed as exc:
        raise AssertionError(f"{name} was pruned") from exc
    return f"{name} done {took:.0f} s after the click, still there, nobody cries UnexpectedJob"
