"""`open_object_store` and `prove_conditional_writes`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core.errors import ConfigurationError, StoreUnavailable
from pageviews_core.object_store import open_object_store, prove_conditional_writes
from pageviews_core.object_store.base import Body, ObjectChanged
from pageviews_core.settings import CoreSettings, read_settings


def test_a_file_url_opens_the_folder_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "my objects é"
    for url in (folder.as_uri(), f"file://{folder}", f"file://localhost{folder}"):
        store = open_object_store(CoreSettings(store_url=url))
        store.put("a/b", b"")
        assert (folder / "a/b").exists()
        assert store.url == folder.as_uri()
        store.delete("a/b")


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "http://host/", "data/objects", "/data/objects"])
def test_other_schemes_are_refused_with_those_that_are_supported(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"supported: file \(as file:///absolute/folder\), s3"):
        open_object_store(CoreSettings(store_url=url))


@pytest.mark.parametrize("url", ["file:", "file:///", "file://host/data", "file:///data?x=1", "file:///data#1"])
def test_a_file_url_without_one_clear_folder_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a local folder is written"):
        open_object_store(CoreSettings(store_url=url))


def test_an_s3_url_names_bucket_and_prefix() -> None:
    store = open_object_store(CoreSettings(store_url="s3://bucket/some/prefix/", s3_region="eu-central-1"))
    assert store.url == "s3://bucket/some/prefix"


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///prefix", "s3://key:secret@bucket/", "s3://host:9000/bucket", "s3://b/x?y=1", "s3://b/.hidden"],
)
def test_an_s3_url_without_one_clear_bucket_is_refused_and_shows_no_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        open_object_store(CoreSettings(store_url=url, s3_region="eu-central-1"))
    assert "secret" not in str(told.value)


def test_an_endpoint_is_no_place_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_S3_ENDPOINT_URL", "http://key:secret@host:9000")
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_S3_ENDPOINT_URL") as told:
        read_settings(CoreSettings)
    assert "secret" not in str(told.value)


def test_a_good_store_passes_in_seven_requests_and_is_left_empty() -> None:
    store = InMemoryObjectStore()
    prove_conditional_writes(store)
    assert store.all_keys() == ()
    assert store.requests.total() == 7


class CreatesOver(InMemoryObjectStore):
    def create(self, key: str, body: Body) -> str:
        return self.put(key, body)


class ReplacesAnything(InMemoryObjectStore):
    def replace(self, key: str, body: Body, *, etag: str) -> str:
        return self.put(key, body)


class DeletesAnything(InMemoryObjectStore):
    def delete(self, key: str, *, etag: str | None = None) -> None:
        super().delete(key)


class ReplacesNothing(InMemoryObjectStore):
    def replace(self, key: str, body: Body, *, etag: str) -> str:
        raise ObjectChanged(key)


class ForgetsWrites(InMemoryObjectStore):
    def replace(self, key: str, body: Body, *, etag: str) -> str:
        _, present = self.get(key)
        if present != etag:
            raise ObjectChanged(key)
        return etag


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (CreatesOver, "accepted a second create"),
        (ReplacesAnything, "accepted a replace with an old ETag"),
        (DeletesAnything, "accepted a delete with an old ETag"),
        (ReplacesNothing, "answered ObjectChanged"),
        (ForgetsWrites, "accepted a replace with an old ETag"),
    ],
)
def test_a_store_that_ignores_a_condition_is_named_and_left_clean(broken: type[InMemoryObjectStore], why: str) -> None:
    store = broken()
    with pytest.raises(ConfigurationError, match=rf"memory: does not honour conditional writes \(it {why}"):
        prove_conditional_writes(store)
    assert store.all_keys() == ()


def test_a_store_that_does_not_answer_is_unavailable_and_not_unfit() -> None:
    store = InMemoryObjectStore()

    def unreachable(verb: str, key: str) -> None:
        raise StoreUnavailable("no route")

    store.before = unreachable
    with pytest.raises(StoreUnavailable, match="no route"):
        prove_conditional_writes(store)
