"""What the S3 adapter makes of a network and a server that fail: nothing twice, nothing lost, nothing guessed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import FlexibleChecksumError
from tests.tools.faulty_proxy import Cut, Fault, Lose, Proxy, Refuse, proxied
from tests.tools.s3_servers import REGION, S3Server, moto_server, use_credentials

from pageviews_core.errors import ConfigurationError, Stopped, StoreUnavailable
from pageviews_core.job.stopping import Stopping
from pageviews_core.object_store import prove_conditional_writes
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.object_store.s3 import PART_BYTES, S3ObjectStore, S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANY = 1_000
LARGE = os.urandom(2 * PART_BYTES + 12_345)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    use_credentials()
    with moto_server() as server:
        yield server


@pytest.fixture
def proxy(server: S3Server) -> Iterator[Proxy]:
    with proxied(server.url) as proxy:
        yield proxy


@pytest.fixture
def store(server: S3Server, proxy: Proxy, request: pytest.FixtureRequest) -> S3ObjectStore:
    bucket = f"b{abs(hash(request.node.name))}"
    server.create_bucket(bucket)
    return S3ObjectStore(bucket, "in", S3Options(proxy.url, REGION, path_style=True))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large"
    file.write_bytes(LARGE)
    return file


def test_a_creation_whose_answer_was_lost_has_succeeded(store: S3ObjectStore, proxy: Proxy) -> None:
    proxy.fail(1, Lose(), method="PUT")
    etag = store.create("k", b"mine")
    assert store.get("k") == (b"mine", etag)
    with pytest.raises(ObjectExists):
        store.create("k", b"mine")


def test_one_that_another_won_meanwhile_has_not(store: S3ObjectStore, proxy: Proxy, server: S3Server) -> None:
    other = server.store(store.url.split("/")[2], "in")

    def rule(method: str, path: str) -> Refuse | None:
        if method != "PUT":
            return None
        proxy.rule = lambda method, path: None
        other.create("k", b"mine")  # the same bytes, written by somebody else
        return Refuse(503, "SlowDown")

    proxy.rule = rule
    with pytest.raises(ObjectExists):
        store.create("k", b"mine")


def test_a_replacement_whose_answer_was_lost_has_succeeded(store: S3ObjectStore, proxy: Proxy) -> None:
    first = store.create("k", b"1")
    proxy.fail(1, Lose(), method="PUT")
    second = store.replace("k", b"2", etag=first)
    assert store.get("k") == (b"2", second)
    with pytest.raises(ObjectChanged):
        store.replace("k", b"3", etag=first)


def test_a_deletion_whose_answer_was_lost_has_succeeded(store: S3ObjectStore, proxy: Proxy) -> None:
    etag = store.create("k", b"1")
    proxy.fail(1, Lose(), method="DELETE")
    store.delete("k", etag=etag)
    assert list(store.list("")) == []


@pytest.mark.parametrize("refusal", [Refuse(503, "SlowDown"), Refuse(500, "InternalError"), Refuse(429, "TooMany")])
def test_a_server_that_is_busy_is_asked_again_a_few_times(store: S3ObjectStore, proxy: Proxy, refusal: Refuse) -> None:
    proxy.fail(2, refusal, method="PUT")
    store.put("k", b"1")
    proxy.fail(MANY, refusal, method="GET")
    before = len(proxy.seen)
    with pytest.raises(StoreUnavailable, match=f"{refusal.status} {refusal.code}"):
        store.get("k")
    assert len(proxy.seen) - before <= 5


def test_writes_that_meet_each_other_are_tried_again(store: S3ObjectStore, proxy: Proxy) -> None:
    proxy.fail(3, Refuse(409, "ConditionalRequestConflict"), method="PUT")
    store.create("k", b"1")
    proxy.fail(MANY, Refuse(409, "ConditionalRequestConflict"), method="PUT")
    with pytest.raises(StoreUnavailable, match="409"):
        store.create("other", b"1")


def test_a_refusal_is_no_conflict_and_is_not_tried_again(store: S3ObjectStore, proxy: Proxy) -> None:
    store.create("k", b"1")
    before = len(proxy.seen)
    with pytest.raises(ObjectExists):
        store.create("k", b"2")
    assert len(proxy.seen) - before == 1


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(store: S3ObjectStore, proxy: Proxy, large: Path) -> None:
    etag = store.create("k", large)
    assert sum(method == "PUT" and "partNumber" in path for method, path in proxy.seen) == 3
    assert store.head("k").etag == etag
    with store.open("k") as stream:
        assert stream.read() == LARGE
    with pytest.raises(ObjectExists):
        store.create("k", large)
    assert _uploads(store, proxy) == []


def test_parts_that_failed_are_sent_again(store: S3ObjectStore, proxy: Proxy, large: Path) -> None:
    proxy.fail(2, Lose(), method="PUT", having="partNumber=2")
    store.put("k", large)
    assert store.get("k")[0] == LARGE


def test_a_completion_whose_answer_was_lost_has_succeeded(store: S3ObjectStore, proxy: Proxy, large: Path) -> None:
    proxy.fail(1, Lose(), method="POST", having="uploadId")
    etag = store.create("k", large)
    assert store.get("k") == (LARGE, etag)


@pytest.mark.parametrize("broken", [KeyboardInterrupt, StoreUnavailable])
def test_an_upload_that_ends_early_leaves_nothing(
    store: S3ObjectStore, proxy: Proxy, large: Path, broken: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = store._client.upload_part

    def upload_part(**arguments: object) -> object:
        if arguments["PartNumber"] == 2:
            raise broken("asked to stop")
        return send(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store._client, "upload_part", upload_part)
    with pytest.raises(broken):
        store.create("k", large)
    assert _uploads(store, proxy) == []
    assert list(store.list("")) == []


def test_an_upload_ends_where_a_stop_is_asked_for_and_a_log_is_finished(
    store: S3ObjectStore, proxy: Proxy, large: Path
) -> None:
    asked = Stopping()
    bucket = store.url.split("/")[2]
    stopped = S3ObjectStore(bucket, "in", S3Options(proxy.url, REGION, path_style=True), asked.check)

    def rule(method: str, path: str) -> None:
        if "partNumber=2" in path:
            asked.ask()

    proxy.rule = rule
    with pytest.raises(Stopped):
        stopped.create("k", large)
    assert not any("partNumber=3" in path for _, path in proxy.seen)
    assert _uploads(store, proxy) == []
    assert list(store.list("")) == []
    stopped.put("log", large)
    stopped.create("small", b"1")
    assert [info.key for info in store.list("")] == ["log", "small"]


def test_a_write_whose_outcome_cannot_be_looked_up_is_not_guessed(store: S3ObjectStore, proxy: Proxy) -> None:
    """The first try took effect, the second is refused for it, and then the store no longer answers."""
    answers: list[Fault | None] = [Lose(), None]

    def rule(method: str, path: str) -> Fault | None:
        if method == "PUT":
            return answers.pop(0)
        return Refuse(503, "SlowDown") if method == "HEAD" else None

    proxy.rule = rule
    with pytest.raises(StoreUnavailable):
        store.create("k", b"mine")


def test_content_that_is_not_what_its_checksum_says_is_never_gone_on_with(
    store: S3ObjectStore, proxy: Proxy, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("k", b"0123456789" * 1000)
    get = store._client.get_object

    def damaged(**arguments: object) -> object:
        answer = get(**arguments)  # type: ignore[arg-type]
        answer["Body"] = _Damaged(answer["Body"])  # type: ignore[typeddict-item]
        return answer

    monkeypatch.setattr(store._client, "get_object", damaged)
    with store.open("k") as stream, pytest.raises(StoreUnavailable, match="checksum"):
        stream.read()
    with pytest.raises(StoreUnavailable, match="FlexibleChecksumError"):
        store.get("k")


class _Damaged:
    """A body of which the client finds at the end that the checksum is another one."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, amount: int | None = None) -> bytes:
        found: bytes = self._body.read(100) if amount else b""
        if len(found) < 100:
            raise FlexibleChecksumError(error_msg="Expected checksum a did not match calculated checksum b")
        return found

    def close(self) -> None:
        self._body.close()


def test_uploads_that_a_killed_process_left_are_swept_after_a_day(store: S3ObjectStore, proxy: Proxy) -> None:
    client, bucket = _client(proxy), store.url.split("/")[2]
    client.create_multipart_upload(Bucket=bucket, Key="in/left")
    client.create_multipart_upload(Bucket=bucket, Key="elsewhere/left")
    began = client.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Initiated"]
    assert store.sweep(began + timedelta(hours=23)) == 0
    assert store.sweep(began + timedelta(hours=25)) == 1
    assert _uploads(store, proxy) == ["elsewhere/left"]


def test_a_download_goes_on_where_it_broke_off(store: S3ObjectStore, proxy: Proxy, large: Path) -> None:
    store.put("k", large)
    proxy.fail(3, Cut(5_000_000), method="GET")
    with store.open("k", offset=1_000) as stream:
        assert stream.read() == LARGE[1_000:]
    proxy.fail(2, Cut(5_000_000), method="GET")
    assert store.get("k")[0] == LARGE


def test_one_that_breaks_off_again_and_again_is_given_up(store: S3ObjectStore, proxy: Proxy, large: Path) -> None:
    store.put("k", large)
    proxy.fail(MANY, Cut(1_000), method="GET")
    with store.open("k") as stream, pytest.raises(StoreUnavailable, match="broke off at byte"):
        stream.read()
    with pytest.raises(StoreUnavailable):
        store.get("k")


def test_an_object_overwritten_meanwhile_is_not_mixed_with_the_old(
    store: S3ObjectStore, proxy: Proxy, large: Path
) -> None:
    store.put("k", large)
    proxy.fail(1, Cut(1_000), method="GET")
    with store.open("k") as stream:
        store.put("k", b"other")
        with pytest.raises(StoreUnavailable, match="overwritten while it was read"):
            stream.read()


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        (Refuse(403, "AccessDenied"), ConfigurationError, "grant s3:PutObject"),
        (Refuse(403, "InvalidAccessKeyId"), ConfigurationError, "credentials are not accepted"),
        (Refuse(403, "SignatureDoesNotMatch"), ConfigurationError, "credentials are not accepted"),
        (Refuse(400, "ExpiredToken"), StoreUnavailable, "has expired"),
        (Refuse(403, "RequestTimeTooSkewed"), StoreUnavailable, "clock"),
        (Refuse(404, "NoSuchBucket"), ConfigurationError, "no such bucket"),
        (Refuse(400, "KMS.NotFoundException"), ConfigurationError, "PAGEVIEWS_S3_KMS_KEY_ID"),
        (Refuse(501, "NotImplemented"), ConfigurationError, "does not support PutObject"),
        (Refuse(400, "Unheard"), StoreUnavailable, "Unheard"),
    ],
)
def test_what_is_refused_says_what_to_do(
    store: S3ObjectStore, proxy: Proxy, refusal: Refuse, error: type[Exception], told: str
) -> None:
    proxy.fail(MANY, refusal, method="PUT")
    with pytest.raises(error, match=told) as raised:
        store.create("some/key", b"")
    assert store.url in str(raised.value)
    assert "some/key" in str(raised.value)


def test_a_store_that_ignores_conditions_is_refused(store: S3ObjectStore, server: S3Server) -> None:
    class Ignoring(S3ObjectStore):
        def create(self, key: str, body: object) -> str:
            return self.put(key, body)  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match="does not honour conditional writes"):
        prove_conditional_writes(Ignoring(store.url.split("/")[2], "in", server.options))


def test_without_credentials_it_says_where_they_may_come_from(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match="credentials"):
        S3ObjectStore("bucket", "", server.options).get("k")


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials()
    with pytest.raises(StoreUnavailable, match="EndpointConnectionError"):
        S3ObjectStore("bucket", "", S3Options("http://127.0.0.1:9", REGION, path_style=True)).get("k")


def test_objects_are_encrypted_with_the_key_that_was_named(server: S3Server, proxy: Proxy, large: Path) -> None:
    server.create_bucket("encrypted")
    store = S3ObjectStore("encrypted", "", S3Options(proxy.url, REGION, path_style=True, kms_key_id="alias/mine"))
    store.create("small", b"1")
    store.create("large", large)
    for key in ("small", "large"):
        found = _client(proxy).head_object(Bucket="encrypted", Key=key)
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


def test_a_bucket_that_keeps_what_is_deleted_is_remarked_on(store: S3ObjectStore, proxy: Proxy) -> None:
    assert store.remarks() == []
    client, bucket = _client(proxy), store.url.split("/")[2]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    (remark,) = store.remarks()
    assert "noncurrent versions" in remark
    prove_conditional_writes(store)
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    locked = S3ObjectStore("locked", "", S3Options(proxy.url, REGION, path_style=True)).remarks()
    assert any("Object Lock" in remark for remark in locked)
    proxy.fail(MANY, Refuse(403, "AccessDenied"), method="GET")
    assert store.remarks() == []


def _client(proxy: Proxy) -> S3Client:
    return boto3.session.Session(region_name=REGION).client("s3", endpoint_url=proxy.url)


def _uploads(store: S3ObjectStore, proxy: Proxy) -> list[str]:
    found = _client(proxy).list_multipart_uploads(Bucket=store.url.split("/")[2])
    return [upload["Key"] for upload in found.get("Uploads", ())]
