"""The same pipeline with its objects in S3: whatever is killed, whatever the network does, each hour once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, only, recent_hours, whole
from tests.integration.pipeline.processes import REPOSITORY, wait_until
from tests.tools.faulty_proxy import Cut, Fault, Lose, Proxy, Refuse, proxied
from tests.tools.s3_servers import S3Server, moto_server, s3_server
from tests.tools.status_process import StatusProcess
from tests.tools.troubles import TruncatedAtFirst, WithBadLines

BAD = WithBadLines()
ANSWERS = {"PAGEVIEWS_MAX_REJECTED_SHARE": "0.05", "PAGEVIEWS_MAX_HOURS_PER_RUN": "50"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("buckets")) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of moto's server, which does not mind that the host in a signature is the proxy's."""
    with moto_server() as server, proxied(server.url) as proxy:
        yield proxy


def bucket_of(request: pytest.FixtureRequest) -> str:
    return f"b{abs(hash(request.node.nodeid))}"


def kept_in(pipeline: Pipeline, server: S3Server, url: str, bucket: str) -> Pipeline:
    server.create_bucket(bucket)
    pipeline.keep_in(server, url, bucket)
    return pipeline


def test_hours_are_loaded_built_and_restated(
    open_pipeline: OpenPipeline, server: S3Server, request: pytest.FixtureRequest
) -> None:
    hours = recent_hours(3)
    pipeline = kept_in(open_pipeline(hours, {hours[1]: BAD}, **ANSWERS), server, server.url, bucket_of(request))
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    expected = whole(hours) | whole([hours[1]], bad=BAD)
    assert pipeline.counts() == pipeline.ledger() == expected
    assert pipeline.generations("transformed") == dict.fromkeys(hours, 1)
    assert not (pipeline.folder / "objects").exists()
    assert pipeline.ingest("hour", "--force", str(hours[0])).code == 0
    assert pipeline.transform().code == 0
    assert pipeline.counts() == expected


def test_what_an_hour_and_an_idle_tick_ask_of_s3(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = kept_in(open_pipeline(2, **ANSWERS), S3Server(proxy.upstream.geturl()), proxy.url, bucket_of(request))
    first, second = pipeline.server.hours
    for hour in (first, second):
        assert pipeline.ingest(**only(hour)).code == 0
        assert pipeline.transform(**only(hour)).code == 0
    idle_ticks = {}
    assert pipeline.ingest("hour", "--force", str(second)).code == 0
    for name, tick in (("ingestor", pipeline.ingest), ("transformer", pipeline.transform)):
        tick()
        proxy.seen.clear()
        ended = tick()
        assert ended.event("tick_finished")["outcome"] == "idle"
        idle = len(proxy.seen)
        assert idle == ended.event("tick_finished")["store_requests"], "what the tick counts is what S3 would bill"
        assert idle <= 10, f"{name}: {proxy.seen}"
        idle_ticks[name] = idle
    proxy.seen.clear()
    assert pipeline.ingest("hour", "--force", str(first)).code == 0
    ingest = len(proxy.seen)
    proxy.seen.clear()
    assert pipeline.transform("hour", "--force", str(first)).code == 0
    with capsys.disabled():
        print(f"\nRequests to S3: idle ticks {idle_ticks}, an hour's load {ingest}, its build {len(proxy.seen)}")
    assert ingest <= 80
    assert len(proxy.seen) <= 80


POINTS = (
    "create leases/ingested/<hour>.json",
    "create raw/pageviews/<hour>/<sha>/pageviews-<end>.gz",
    "create landing/pageviews/<hour>/<ulid>/pageviews.parquet",
    "create markers/ingested/<hour>/1.json",
    "replace leases/ingested/<hour>.json (released)",
)


def test_a_kill_at_any_write_leaves_no_hour_doubled_or_lost(
    open_pipeline: OpenPipeline, server: S3Server, request: pytest.FixtureRequest
) -> None:
    points = [f"{side} {write}" for write in POINTS for side in ("before", "after")]
    pipeline = kept_in(open_pipeline(len(points), **ANSWERS), server, server.url, bucket_of(request))
    hours = pipeline.server.hours
    for hour, point in zip(hours, points, strict=True):
        ended = pipeline.ingest(fault=pipeline.fault(point), **only(hour))
        assert ended.code == -9, f"no kill at {point}:\n{ended.output}"
    for _ in range(2):
        assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    assert pipeline.counts() == pipeline.ledger() == whole(hours)


@pytest.mark.parametrize(
    ("fault", "times", "method"),
    [
        (Lose(), 6, "PUT"),
        (Refuse(503, "SlowDown"), 6, "PUT"),
        (Refuse(409, "ConditionalRequestConflict"), 4, "PUT"),
        (Refuse(500, "InternalError"), 3, "GET"),
        (Cut(20), 3, "GET"),
    ],
    ids=["answers lost", "throttled", "conflicts", "server errors", "downloads cut"],
)
def test_a_network_with_faults_ends_in_complete_hours_once(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest, fault: Fault, times: int, method: str
) -> None:
    """Each fault strikes every third request of its kind, so that the client's own tries suffice."""
    pipeline = kept_in(open_pipeline(2, **ANSWERS), S3Server(proxy.upstream.geturl()), proxy.url, bucket_of(request))
    seen = [0]

    def rule(asked: str, path: str) -> Fault | None:
        seen[0] += asked == method
        return fault if asked == method and seen[0] % 3 == 1 and seen[0] < 3 * times else None

    proxy.rule = rule
    assert pipeline.ingest().code == 0
    if isinstance(fault, Lose | Cut):  # the transformer's requests are of the same kinds
        assert pipeline.transform().code == 0
        assert pipeline.counts() == whole(pipeline.server.hours)
    assert seen[0] > times
    assert pipeline.counts("raw_wikipedia_pageviews") == pipeline.ledger() == whole(pipeline.server.hours)


def test_a_store_that_is_down_is_tried_again_later(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest
) -> None:
    pipeline = kept_in(open_pipeline(1, **ANSWERS), S3Server(proxy.upstream.geturl()), proxy.url, bucket_of(request))
    proxy.rule = lambda method, path: Refuse(503, "ServiceUnavailable")
    ended = pipeline.ingest()
    assert ended.code == 75
    assert "503 ServiceUnavailable" in ended.output
    proxy.rule = lambda method, path: None
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    assert pipeline.counts() == whole(pipeline.server.hours)


def test_a_bucket_that_forbids_a_verb_is_named_with_the_grant(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pipeline = kept_in(open_pipeline(1, **ANSWERS), S3Server(proxy.upstream.geturl()), proxy.url, bucket_of(request))
    proxy.rule = lambda method, path: Refuse(403, "AccessDenied") if method == "PUT" else None
    for verb in ("check", "run"):
        ended = pipeline.ingest(verb)
        assert ended.code == 78
        assert "s3:PutObject" in ended.output


class Policy:
    """One of the documents in docs/aws, as far as it speaks of actions and prefixes."""

    def __init__(self, name: str, bucket: str) -> None:
        text = (REPOSITORY / "docs" / "aws" / f"{name}.json").read_text()
        self._bucket = bucket
        self._statements = json.loads(text.replace("BUCKET", bucket).replace("PREFIX", "p"))["Statement"]
        self.refused: list[tuple[str, str]] = []

    def rule(self, method: str, path: str) -> Refuse | None:
        parts = urlsplit(path)
        key, asked = unquote(parts.path).removeprefix(f"/{self._bucket}").lstrip("/"), parse_qs(parts.query, True)
        action, resource = self._action(method, key, asked), f"arn:aws:s3:::{self._bucket}{'/' + key if key else ''}"
        if any(
            action in statement["Action"]
            and any(fnmatchcase(resource, each) for each in _listed(statement["Resource"]))
            and self._prefix_allowed(statement, asked)
            for statement in self._statements
        ):
            return None
        self.refused.append((action, key))
        return Refuse(403, "AccessDenied")

    def _prefix_allowed(self, statement: dict[str, Any], asked: dict[str, list[str]]) -> bool:
        wanted = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        return wanted is None or any(fnmatchcase(asked["prefix"][0], each) for each in wanted)

    @staticmethod
    def _action(method: str, key: str, asked: dict[str, list[str]]) -> str:
        if not key:
            return "s3:ListBucketMultipartUploads" if "uploads" in asked else "s3:ListBucket"
        if method == "DELETE":
            return "s3:AbortMultipartUpload" if "uploadId" in asked else "s3:DeleteObject"
        return "s3:GetObject" if method in ("GET", "HEAD") else "s3:PutObject"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_rights_in_the_documentation_suffice_for_each_job(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest
) -> None:
    bucket, hours = bucket_of(request), recent_hours(3)
    pipeline = kept_in(
        open_pipeline(hours, {hours[0]: BAD, hours[1]: TruncatedAtFirst()}, **ANSWERS),
        S3Server(proxy.upstream.geturl()), proxy.url, bucket,
    )  # fmt: skip
    policies = {name: Policy(name, bucket) for name in ("ingestor", "transformer")}
    asked = pipeline.ask("transform", hours[0])
    for name in ("ingestor", "transformer", "ingestor", "transformer"):
        proxy.rule = policies[name].rule
        ended = pipeline.start("ingestor" if name == "ingestor" else "transformer").wait()
        assert ended.code == 0, (policies[name].refused, ended.output)
        pipeline.server.heal(hours[1])
        time.sleep(1)
    assert {name: policy.refused for name, policy in policies.items()} == {"ingestor": [], "transformer": []}
    proxy.rule = lambda method, path: None
    assert pipeline.generations("transformed") == dict.fromkeys(hours, 1)
    assert pipeline.closed(asked)


def test_the_status_service_needs_no_right_to_write_for_its_pages(
    open_pipeline: OpenPipeline, proxy: Proxy, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bucket = bucket_of(request)
    pipeline = kept_in(open_pipeline(1, **ANSWERS), S3Server(proxy.upstream.geturl()), proxy.url, bucket)
    for job in (pipeline.ingest, pipeline.transform):
        assert job().code == 0
    policy = Policy("status-api", bucket)
    proxy.rule = policy.rule
    environment = {**pipeline.environment(), "LOCAL_DATA_DIR": str(tmp_path)}
    with StatusProcess(tmp_path, environment) as service:
        service.wait_until_ready()
        wait_until(lambda: not httpx.get(f"{service.url}/api/v1/status").json()["indexing"], "the index")
        for path in ("/", f"/hours/{pipeline.server.hours[0]}", "/runs", "/insights", "/metrics"):
            assert httpx.get(f"{service.url}{path}", timeout=10).status_code == 200, path
    assert policy.refused == []
