"""Opens the object store that a URL names, and proves that it keeps the promises everything rests on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ulid import ULID

from pageviews_core.errors import ConfigurationError, PageviewsError
from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectNotFound, ObjectStore
from pageviews_core.object_store.key_rules import check_key
from pageviews_core.settings import CoreSettings


def open_object_store(settings: CoreSettings, may_go_on: Callable[[], None] = lambda: None) -> ObjectStore:
    """The only place that chooses an adapter. Raises ConfigurationError for a URL that no adapter serves.

    `may_go_on` raises where a stop was asked for; an adapter asks it while it uploads a large file.
    """
    url = settings.object_store_url()
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _open_folder(url)
    if parts.scheme == "s3":
        return _open_bucket(url, settings, may_go_on)
    given = f"the scheme {parts.scheme!r}" if parts.scheme else "no scheme"
    raise ConfigurationError(
        f"object store {url!r} has {given}; supported: file (as file:///absolute/folder), s3 (as s3://bucket/prefix)"
    )


def _open_bucket(url: str, settings: CoreSettings, may_go_on: Callable[[], None]) -> ObjectStore:
    from pageviews_core.object_store.s3 import S3ObjectStore, S3Options

    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            "an object store in S3 is written s3://bucket/prefix; credentials and endpoint have places of their own "
            "(AWS's own variables and roles, PAGEVIEWS_S3_ENDPOINT_URL)"
        )
    if prefix:
        try:
            check_key(prefix)
        except ValueError as exc:
            raise ConfigurationError(f"object store {url!r}: {exc}") from exc
    return S3ObjectStore(
        parts.netloc,
        prefix,
        S3Options(settings.s3_endpoint_url, settings.s3_region, settings.s3_path_style, settings.s3_kms_key_id),
        may_go_on,
    )


def _open_folder(url: str) -> ObjectStore:
    from pageviews_core.object_store.local import LocalObjectStore

    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not path.strip("/") or "\0" in path:
        raise ConfigurationError(
            f"object store {url!r}: a local folder is written file:///absolute/folder, with ? and # as %3F and %23"
        )
    return LocalObjectStore(Path(path))


def prove_conditional_writes(store: ObjectStore) -> None:
    """Tries on an object of its own, in seven requests, that the store refuses what leases and markers need refused.

    Raises ConfigurationError naming the store otherwise: there two processes could take the same hour.
    """
    key = f"control/probe/{ULID()}"
    try:
        first = store.create(key, b"1")
        _refused(store, "a second create", ObjectExists, lambda: store.create(key, b"2"))
        second = store.replace(key, b"3", etag=first)
        _refused(store, "a replace with an old ETag", ObjectChanged, lambda: store.replace(key, b"4", etag=first))
        _refused(store, "a delete with an old ETag", ObjectChanged, lambda: store.delete(key, etag=first))
        if store.get(key) != (b"3", second):
            raise _unfit(store, "it returned other content, or another ETag, than was written")
    except (ObjectExists, ObjectChanged, ObjectNotFound) as exc:
        raise _unfit(store, f"it answered {type(exc).__name__} to a write or read that was right") from exc
    finally:
        with suppress(PageviewsError):
            store.delete(key)


def _refused(store: ObjectStore, what: str, refusal: type[Exception], attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except refusal:
        return
    raise _unfit(store, f"it accepted {what}")


def _unfit(store: ObjectStore, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the object store {store.url} does not honour conditional writes ({why}): two processes could take the same "
        "hour. Use a store with If-None-Match and If-Match, or a local folder"
    )
