"""The object store in an S3 bucket, or in anything that speaks S3 and honours conditional writes.

Each write carries an id of its own in its metadata. Where a request's answer was lost, or it was refused after having
been sent twice, that id tells whether it took effect: nothing is guessed, and nothing is written twice.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from ulid import ULID

from pageviews_core.errors import ConfigurationError, PageviewsError, StoreUnavailable
from pageviews_core.object_store.base import Body, ObjectChanged, ObjectExists, ObjectInfo, ObjectNotFound
from pageviews_core.object_store.key_rules import check_key, is_part
from pageviews_core.object_store.s3_errors import code_of, retries_of, status_of, translated
from pageviews_core.object_store.s3_stream import BROKEN, ObjectStream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

R = TypeVar("R")

PART_BYTES = 8 * 1024 * 1024
"""Of a multipart upload, and so what one holds in memory; a smaller file goes up in one request."""
ABANDONED_AFTER = timedelta(days=1)
_ATTEMPTS = 5
"""Of each request, the client's own retries included; and of a write that met another one (409)."""
_WRITE_ID = "pageviews-write"
_PRECONDITION_FAILED, _NOT_FOUND, _CONFLICT, _RANGE = 412, 404, 409, 416


@dataclass(frozen=True)
class S3Options:
    """Credentials come from the client's own chain: environment, web identity (IRSA), profile, instance role."""

    endpoint_url: str | None = None
    region: str | None = None
    path_style: bool = False
    kms_key_id: str | None = None
    """Objects are encrypted with this key; else as the bucket says."""


class S3ObjectStore:
    """ETags are of the content: two writes of the same bytes may share one. Safe to use from several threads."""

    def __init__(
        self, bucket: str, prefix: str, options: S3Options, may_go_on: Callable[[], None] = lambda: None
    ) -> None:
        """Asks for nothing yet. Raises ConfigurationError for an endpoint or a region that cannot be one.

        `may_go_on` is asked before each part of a file that is created, and raises where a stop was asked for. What
        overwrites by `put`, a run's own log, is finished in any case.
        """
        self._may_go_on = may_go_on
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._encryption: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": options.kms_key_id} if options.kms_key_id else {}
        )
        try:
            self._client: S3Client = boto3.session.Session().client(
                "s3",
                endpoint_url=options.endpoint_url,
                region_name=options.region,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    connect_timeout=10,
                    read_timeout=60,
                    max_pool_connections=16,
                    s3={"addressing_style": "path" if options.path_style else "auto"},
                ),
            )
        except (BotoCoreError, ValueError) as exc:
            raise ConfigurationError(f"{self.url}: {exc}: see PAGEVIEWS_S3_ENDPOINT_URL, PAGEVIEWS_S3_REGION") from exc

    def create(self, key: str, body: Body) -> str:
        return self._write(key, body, {"IfNoneMatch": "*"}, ObjectExists, self._may_go_on)

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        return self._write(key, body, {"IfMatch": f'"{etag}"'}, ObjectChanged)

    def put(self, key: str, body: Body) -> str:
        return self._write(key, body, {}, ObjectChanged)

    def get(self, key: str) -> tuple[bytes, str]:
        place = self._place(key)
        with self._explained(key):
            for attempt in range(1, _ATTEMPTS + 1):
                answer = self._client.get_object(**place)
                try:
                    return answer["Body"].read(), _bare(answer["ETag"])
                except BROKEN:
                    if attempt == _ATTEMPTS:
                        raise
        raise AssertionError("unreachable")

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        place = self._place(key)
        with self._explained(key):
            try:
                answer = self._client.get_object(**place, **_from(offset))
            except ClientError as exc:
                if status_of(exc) == _RANGE:
                    return io.BytesIO()  # from its very end
                raise
        same = {**place, "IfMatch": answer["ETag"]}

        def reopen(at: int) -> Any:
            with self._explained(key):
                try:
                    return self._client.get_object(**same, **_from(at))["Body"]
                except ClientError as exc:
                    if status_of(exc) in (_PRECONDITION_FAILED, _NOT_FOUND):
                        raise StoreUnavailable(f"{self.url}, key {key!r}: overwritten while it was read") from exc
                    if status_of(exc) == _RANGE:
                        return io.BytesIO()
                    raise

        stream = ObjectStream(f"{self.url}, key {key!r}", answer["Body"], offset, reopen)
        return cast("BinaryIO", io.BufferedReader(stream, buffer_size=1 << 20))

    def head(self, key: str) -> ObjectInfo:
        place = self._place(key)
        with self._explained(key):
            found = self._client.head_object(**place)
        return ObjectInfo(key, _bare(found["ETag"]), found["ContentLength"], _seconds(found["LastModified"]))

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        folder, _, _ = prefix.rpartition("/")
        if folder and not all(map(is_part, folder.split("/"))):
            return
        after: dict[str, Any] = {"StartAfter": self._prefix + start_after} if start_after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, **after
        )
        with self._explained(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._prefix)
                    yield ObjectInfo(key, _bare(found["ETag"]), found["Size"], _seconds(found["LastModified"]))

    def delete(self, key: str, *, etag: str | None = None) -> None:
        place = self._place(key)
        condition: dict[str, Any] = {"IfMatch": f'"{etag}"'} if etag is not None else {}
        with self._explained(key):
            try:
                self._unless_in_conflict(lambda: self._client.delete_object(**place, **condition))
            except ClientError as exc:
                if status_of(exc) == _NOT_FOUND and code_of(exc) != "NoSuchBucket":
                    return
                if status_of(exc) != _PRECONDITION_FAILED:
                    raise
                try:
                    self._client.head_object(**place)  # some answer so where there is none, too
                except ClientError as absent:
                    if status_of(absent) == _NOT_FOUND:
                        return
                    raise
                raise ObjectChanged(key) from None

    def sweep(self, now: datetime) -> int:
        """Aborts the multipart uploads that a killed process left more than a day ago."""
        swept = 0
        with self._explained(""):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < now - ABANDONED_AFTER:
                        with suppress(self._client.exceptions.NoSuchUpload):
                            self._client.abort_multipart_upload(
                                Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                            )
                        swept += 1
        return swept

    def room(self) -> None:
        return None

    def remarks(self) -> Sequence[str]:
        found = []
        with suppress(BotoCoreError, ClientError):  # the right to ask is not needed for anything else
            if self._client.get_bucket_versioning(Bucket=self._bucket).get("Status") == "Enabled":
                found.append(
                    "the bucket keeps old versions, and records that are written often pile up: add a lifecycle rule "
                    "that expires noncurrent versions"
                )
        with suppress(BotoCoreError, ClientError):
            lock = self._client.get_object_lock_configuration(Bucket=self._bucket)["ObjectLockConfiguration"]
            if lock.get("ObjectLockEnabled") == "Enabled":
                found.append("the bucket has Object Lock: what retention deletes stays, and is paid for")
        return found

    # Writing.

    def _write(
        self,
        key: str,
        body: Body,
        condition: dict[str, Any],
        refusal: type[Exception],
        may_go_on: Callable[[], None] = lambda: None,
    ) -> str:
        place = self._place(key)
        with io.BytesIO(body) if isinstance(body, bytes) else body.open("rb") as source, self._explained(key):
            size = source.seek(0, io.SEEK_END)
            write_id, met_another = str(ULID()), False
            extra: dict[str, Any] = {"Metadata": {_WRITE_ID: write_id}, **self._encryption}

            def send() -> str:
                nonlocal met_another
                source.seek(0)
                try:
                    if size > PART_BYTES:
                        return self._in_parts(place, source, extra, condition, may_go_on)
                    return _bare(self._client.put_object(**place, **extra, **condition, Body=source)["ETag"])
                except ClientError as exc:
                    met_another |= status_of(exc) == _CONFLICT
                    raise

            try:
                return self._unless_in_conflict(send)
            except ClientError as exc:
                refused = status_of(exc) in (_PRECONDITION_FAILED, _NOT_FOUND) and code_of(exc) != "NoSuchBucket"
                unsure = retries_of(exc) or met_another or not refused
                if unsure and (written := self._written(place, write_id)):
                    return written
                if refused and condition:
                    raise refusal(key) from None
                raise
            except BROKEN:
                if written := self._written(place, write_id):
                    return written
                raise

    def _in_parts(
        self,
        place: dict[str, Any],
        source: BinaryIO,
        extra: dict[str, Any],
        condition: dict[str, Any],
        may_go_on: Callable[[], None],
    ) -> str:
        """A multipart upload, which leaves nothing behind when it fails or the process is asked to stop."""
        upload = {**place, "UploadId": self._client.create_multipart_upload(
            **place, **extra, ChecksumAlgorithm="CRC32")["UploadId"]}  # fmt: skip
        try:
            parts: list[Any] = []
            while part := source.read(PART_BYTES):
                may_go_on()
                sent = self._client.upload_part(
                    **upload, PartNumber=len(parts) + 1, Body=part, ChecksumAlgorithm="CRC32"
                )
                checksum = {"ChecksumCRC32": sent["ChecksumCRC32"]} if "ChecksumCRC32" in sent else {}
                parts.append({"PartNumber": len(parts) + 1, "ETag": sent["ETag"], **checksum})
            done = self._client.complete_multipart_upload(**upload, **condition, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(**upload)
            raise
        return _bare(done["ETag"])

    def _written(self, place: dict[str, Any], write_id: str) -> str | None:
        """The ETag, where the object is what this very write wrote. Raises where the store does not say."""
        try:
            found = self._client.head_object(**place)
        except ClientError as exc:
            if status_of(exc) == _NOT_FOUND:
                return None
            raise
        return _bare(found["ETag"]) if found["Metadata"].get(_WRITE_ID) == write_id else None

    def _unless_in_conflict(self, send: Callable[[], R]) -> R:
        """409: another write was under way at the same time; who asks again gets a clear answer."""
        attempts = Retrying(
            retry=retry_if_exception(lambda exc: isinstance(exc, ClientError) and status_of(exc) == _CONFLICT),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        return attempts(send)

    # What all have in common.

    def _place(self, key: str) -> dict[str, Any]:
        check_key(key)
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except ClientError as exc:
            if status_of(exc) == _NOT_FOUND and code_of(exc) in ("404", "NoSuchKey", "NotFound"):
                raise ObjectNotFound(key) from None
            raise translated(exc, self.url, key) from exc
        except (ObjectExists, ObjectChanged, ObjectNotFound, PageviewsError, ValueError):
            raise
        except BROKEN as exc:
            raise translated(exc, self.url, key) from exc


def _from(offset: int) -> dict[str, Any]:
    return {"Range": f"bytes={offset}-"} if offset else {}


def _bare(etag: str) -> str:
    return etag.strip('"')


def _seconds(at: datetime) -> datetime:
    """As S3 itself keeps it: some that speak S3 say more in a listing than in an answer's head."""
    return at.astimezone(UTC).replace(microsecond=0)
