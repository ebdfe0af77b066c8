"""S3 and Snowflake by their protocols: versitygw and fakesnow in the cluster."""

from __future__ import annotations

import json
from typing import Any

from pageviews_core.hour import Hour
from tests.e2e import faults
from tests.e2e.cluster import CommandFailed, Namespace
from tests.e2e.product import EVERY_MINUTE, Product, install, make_token, opened, values
from tests.e2e.report import Report
from tests.e2e.stand_ins import ACCESS_KEY, BUCKET, SECRET_KEY, dumps_server, s3_server, snowflake_server
from tests.tools.snowflake_server import DATABASE

_DOWN_SECONDS = 120.0


def prove(namespace: Namespace, report: Report, newest: Hour) -> None:
    namespace.apply([*dumps_server(hours=24, scale=0.3), *s3_server(), *snowflake_server()])
    for name in ("dumps", "s3", "snowflake"):
        namespace.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")
    token = make_token(namespace)
    secret = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "SNOWFLAKE_PASSWORD": "stand-in-password",
    }
    namespace.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "outside"}, "stringData": secret}])
    page = namespace.get("secret", "page")["data"]
    namespace.kubectl("patch", "secret", "page", "--patch", json.dumps({"stringData": secret, "data": page}))
    given = values(
        str(newest + -1),
        EVERY_MINUTE,
        warehouse="snowflake",
        store={"url": f"s3://{BUCKET}/e2e", "endpointUrl": "http://s3:7070", "region": "us-east-1", "pathStyle": True},
        existingSecret="outside",
        settings={
            "SNOWFLAKE_ACCOUNT": "fakesnow", "SNOWFLAKE_USER": "LOADER", "SNOWFLAKE_ROLE": "PAGEVIEWS_LOADER",
            "SNOWFLAKE_WAREHOUSE": "PAGEVIEWS_WH", "SNOWFLAKE_DATABASE": DATABASE, "SNOWFLAKE_HOST": "snowflake",
            "SNOWFLAKE_PORT": 8084, "SNOWFLAKE_PROTOCOL": "http",
        },
        statusApi={"replicas": 2},
    )  # fmt: skip
    checked = {**given, "check": {"enabled": True}}
    report.step("the check Job stops a wrong install", lambda: _stopped(namespace, checked))
    report.step("helm install, two replicas of the page", lambda: install(namespace, given) and "installed")
    report.step(
        "the check Job lets a right upgrade through", lambda: install(namespace, checked) and "passed, and said so"
    )
    with opened(namespace, token) as product:
        report.step("real ticks load and build two hours", lambda: f"{product.wait_for_hours(2, 300):.0f} s")
        report.step("stages agree", lambda: _stages(product))
        faults.slowly(product, slow=True)
        report.step("pod deleted in mid-load", lambda: faults.pod_deleted(product))
        faults.slowly(product, slow=False)
        report.step("store down for two minutes", lambda: faults.store_down(product, given, _DOWN_SECONDS))
        report.step("stages agree after all of it", lambda: _stages(product))
    print(namespace.kubectl("get", "cronjobs,jobs,pods,deployments,services"), flush=True)


def _stopped(namespace: Namespace, given: dict[str, Any]) -> str:
    """A bucket that is not there: Helm fails, and prints what the program says of it."""
    try:
        install(namespace, {**given, "store": {**given["store"], "url": "s3://no-such-bucket/e2e"}}, timeout="100s")
    except CommandFailed as exc:
        said = str(exc)
    else:
        raise AssertionError("installed, though the bucket is not there")
    assert "FAILED object store" in said, said
    namespace.helm("uninstall", "pageviews", "--ignore-not-found")
    told = said[said.index("FAILED object store") :].splitlines()[0]
    return f"helm says: {told[:160]}"


def _stages(product: Product) -> str:
    """What the source had, what was loaded, and what the build reconciled, hour by hour."""
    hours = product.complete()
    views = 0
    for hour in hours:
        detail = product.api(f"hours/{hour}")
        loaded, built = detail["ingested"][-1], detail["transformed"][-1]
        assert (loaded["rows"]["loaded"], loaded["views"]) == (built["rows"], built["views"]), (loaded, built)
        assert loaded["control"]["state"] == "matched", loaded["control"]
        views += built["views"]
    return f"{len(hours)} hours, {views:,} views, the control totals matched"
