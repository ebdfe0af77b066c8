"""A real, full hour inside the chart's default limits: FULL_HOUR names its file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pageviews_core.hour import Hour
from tests.e2e.cluster import Namespace
from tests.e2e.product import INGESTOR, NEVER, TRANSFORMER, install, make_token, opened, values
from tests.e2e.report import Report
from tests.e2e.stand_ins import dumps_server

_HOUR = Hour.parse("2018-02-19T09")


def prove(namespace: Namespace, report: Report, file: Path) -> None:
    namespace.apply(dumps_server(hours=1, scale=1.0, real=_HOUR))
    running = "--for=jsonpath={.status.phase}=Running"
    namespace.wait("the dumps pod", 60, lambda: namespace.kubectl("wait", running, "pod", "--selector", "app=dumps"))
    [pod] = [each["metadata"]["name"] for each in namespace.items("pods", "app=dumps")]
    namespace.kubectl("cp", str(file), f"{pod}:/data/coming.gz")
    namespace.kubectl("exec", pod, "--", "mv", "/data/coming.gz", "/data/hour.gz")
    namespace.kubectl("rollout", "status", "deployment/dumps", "--timeout=60s")
    token = make_token(namespace)
    given = values(str(_HOUR), NEVER, settings={"PAGEVIEWS_END": str(_HOUR), "PAGEVIEWS_ABSENT_AFTER": "9999d"})
    install(namespace, given)
    with opened(namespace, token) as product:
        for cron_job in (INGESTOR, TRANSFORMER):
            report.step(f"the real hour through {cron_job}", lambda job=cron_job: _through(namespace, job))  # type: ignore[misc]
        report.step("what became of it", lambda: _told(product))


def _through(namespace: Namespace, cron_job: str) -> str:
    began = time.monotonic()
    name = namespace.job(cron_job, f"{cron_job}-full")
    ended = namespace.job_ended(name, 280)
    assert ended == "Complete", namespace.kubectl("logs", f"job/{name}")[-2000:]
    limit = namespace.get("cronjob", cron_job)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    return f"{time.monotonic() - began:.0f} s, limit {limit['resources']['limits']['memory']}, no pod was ended"


def _told(product: Any) -> str:
    [hour] = product.namespace.wait("the hour", 60, lambda: product.api("hours?state=complete")["items"])
    runs = product.api("runs")["items"]
    peaks = ", ".join(f"{run['job']} {run['peak_memory'] / 1024**2:.0f} MiB" for run in runs)
    return f"{hour['rows']:,} rows, {hour['views']:,} views; peaks: {peaks}"
