"""The chart's release in a namespace, and its API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import yaml

from status_api.access.tokens import new_token
from tests.e2e.cluster import CHART, Namespace

RELEASE = "pageviews"
INGESTOR, TRANSFORMER, STATUS = (f"{RELEASE}-{part}" for part in ("ingestor", "transformer", "status-api"))
NEVER = "0 0 1 1 *"
EVERY_MINUTE = "* * * * *"
SOURCE = "http://dumps:8765/other/pageviews"


def values(start: str, schedule: str, **more: Any) -> dict[str, Any]:
    """For a demo's hours: short schedules and pauses, and an operator's token."""
    made: dict[str, Any] = {
        "fullnameOverride": RELEASE,
        "settings": {
            "PAGEVIEWS_SOURCE_URL": SOURCE, "PAGEVIEWS_START": start, "PAGEVIEWS_RETRY_AFTER": "1s",
            "PAGEVIEWS_RECHECK_WINDOW": "0s",
        },
        "contact": "e2e@example.org",
        "persistence": {"size": "5Gi"},
        "statusApi": {"existingSecret": "page", "tokensFile": "tokens.json"},
    }  # fmt: skip
    for job in ("ingestor", "transformer"):
        made[job] = {"schedule": schedule, "startingDeadlineSeconds": 50, "activeDeadlineSeconds": 300}
    return _merged(made, more)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for name, value in over.items():
        both[name] = (
            _merged(both[name], value) if isinstance(value, dict) and isinstance(both.get(name), dict) else value
        )
    return both


class Product:
    """`api` reads, `order` changes; both go through a port that is forwarded."""

    def __init__(self, namespace: Namespace, url: str, token: str) -> None:
        self.namespace = namespace
        self.url = url
        self.token = token
        self._client = httpx.Client(base_url=url, timeout=10)

    def api(self, path: str) -> Any:
        return self._send("GET", f"/api/v1/{path}").raise_for_status().json()

    def metrics(self) -> str:
        return self._send("GET", "/metrics").raise_for_status().text

    def order(self, path: str, body: dict[str, Any] | None = None) -> Any:
        self.api("status")
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self._client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def _send(self, method: str, path: str) -> httpx.Response:
        """Waits for the forwarded port to find the pod again, after one has taken another's place."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self._client.request(method, path)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def complete(self) -> list[str]:
        return [each["hour"] for each in self.api("hours?state=complete&limit=500")["items"]]

    def wait_for_hours(self, count: int, seconds: float) -> float:
        """Until so many are complete; seconds that it took."""
        began = time.monotonic()
        self.namespace.wait(f"{count} complete hours", seconds, lambda: len(self.complete()) >= count)
        return time.monotonic() - began

    def wait_for_request(self, request: str, seconds: float) -> float:
        """Until it is done; seconds that it took."""
        began = time.monotonic()

        def done() -> bool:
            return bool(self.api(f"requests/{request}")["summary"]["state"] == "done")

        self.namespace.wait(f"the request {request}", seconds, done)
        return time.monotonic() - began

    def wait_for_problem(self, cause: str, seconds: float = 60) -> dict[str, Any]:
        def found() -> dict[str, Any]:
            problems = self.api("status")["problems"]
            match = [each for each in problems if each["cause"].startswith(cause)]
            assert match, [each["cause"] for each in problems]
            one: dict[str, Any] = match[0]
            return one

        return self.namespace.wait(f"the problem {cause}", seconds, found)

    def running(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """A run of the job that is at work now."""

        def found() -> dict[str, Any]:
            run: dict[str, Any] = self.api(f"runs?job={job}&state=running")["items"][0]
            return run

        return self.namespace.wait(f"a run of the {job}", seconds, found)


def make_token(namespace: Namespace) -> str:
    """An operator's, in the Secret that the chart is told of."""
    token, entry = new_token("e2e", "operator", None)
    content = {"tokens.json": f"[{entry.model_dump_json()}]", "PAGEVIEWS_SESSION_KEY": "k" * 40}
    namespace.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "page"}, "stringData": content}])
    return token


def install(namespace: Namespace, given: dict[str, Any], *, timeout: str = "120s", release: str = RELEASE) -> str:
    """`helm upgrade --install --wait` with the values."""
    path = f"/tmp/{namespace.name}-values.yaml"
    with open(path, "w") as file:  # noqa: PTH123 - a scratch file of one run
        yaml.safe_dump(given, file)
    return namespace.helm("upgrade", "--install", release, CHART, "--values", path, "--wait", "--timeout", timeout)


@contextmanager
def opened(namespace: Namespace, token: str) -> Iterator[Product]:
    with namespace.forwarded(STATUS, 80) as url:
        product = Product(namespace, url, token)
        namespace.wait("the page", 60, lambda: product.api("status"))
        yield product


def ask_warehouse(namespace: Namespace, sql: str) -> list[dict[str, str]]:
    """Rows of the embedded warehouse, by the transformer's own image and pod."""
    job = namespace.get("cronjob", TRANSFORMER)["spec"]["jobTemplate"]["spec"]
    pod = job["template"]
    pod["spec"]["containers"][0]["args"] = ["query", sql, "--format", "csv"]
    name = f"query-{time.time_ns() % 10**9}"
    namespace.apply(
        [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name},
                "spec": {"backoffLimit": 2, "template": pod},
            }
        ]
    )
    assert namespace.job_ended(name) == "Complete", namespace.kubectl("logs", f"job/{name}")
    lines = [line for line in namespace.kubectl("logs", f"job/{name}").splitlines() if line and line[0] != "{"]
    header = lines[0].split(",")
    return [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]


def reconciled(product: Product) -> tuple[int, int, int]:
    """Hours, rows and views of the facts, which must be what the markers say of each hour. Raises AssertionError."""
    facts = ask_warehouse(
        product.namespace,
        "select strftime(hour_started_at, '%Y-%m-%dT%H') as hour, count(*) as loaded, sum(view_count) as views "
        "from wikipedia.fct_wikipedia_pageviews group by 1 order by 1",
    )
    marked = {each["hour"]: each for each in product.api("hours?state=complete&limit=500")["items"]}
    assert {each["hour"] for each in facts} == set(marked), (facts, sorted(marked))
    for each in facts:
        marker = marked[each["hour"]]
        assert (int(each["loaded"]), int(each["views"])) == (marker["rows"], marker["views"]), (each, marker)
    return len(facts), sum(int(each["loaded"]) for each in facts), sum(int(each["views"]) for each in facts)
