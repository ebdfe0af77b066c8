"""What every adapter of the object store promises; each runs through the same tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.memory_object_store import InMemoryObjectStore
from tests.tools.s3_servers import S3Server, moto_server, use_credentials, versitygw, versitygw_path
from ulid import ULID

from pageviews_core.object_store import prove_conditional_writes
from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectNotFound, ObjectStore
from pageviews_core.object_store.local import LocalObjectStore

StoreFactory = Callable[[], AbstractContextManager[ObjectStore]]


@contextmanager
def _in_a_folder() -> Iterator[ObjectStore]:
    with tempfile.TemporaryDirectory() as folder:
        yield LocalObjectStore(Path(folder) / "objects")


IN_FOLDERS = ("memory", "local")
OF_S3 = ("moto", "versitygw")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], S3Server]]:
    """Each started when it is first asked for."""
    use_credentials()
    with ExitStack() as running:
        started: dict[str, S3Server] = {}

        def server(name: str) -> S3Server:
            if name not in started:
                opened = moto_server() if name == "moto" else versitygw(tmp_path_factory.mktemp("versitygw"))
                started[name] = running.enter_context(opened)
                started[name].create_bucket("contract")
            return started[name]

        yield server


@pytest.fixture(params=[*IN_FOLDERS, *OF_S3])
def new_store(request: pytest.FixtureRequest) -> StoreFactory:
    """Makes empty stores of one adapter."""
    if request.param == "memory":
        return lambda: nullcontext(InMemoryObjectStore())
    if request.param == "local":
        return _in_a_folder
    if request.param == "versitygw" and versitygw_path() is None:
        pytest.skip("versitygw is not installed: see tests/tools/system_tools.sh")
    server = request.getfixturevalue("servers")(request.param)
    return lambda: nullcontext(server.store("contract", f"at/{ULID()}"))


@pytest.fixture
def store(new_store: StoreFactory) -> Iterator[ObjectStore]:
    with new_store() as store:
        yield store


def test_what_was_created_is_read_back_with_its_etag(store: ObjectStore) -> None:
    etag = store.create("a/b.json", b"{}")
    assert store.get("a/b.json") == (b"{}", etag)


def test_head_tells_size_time_and_etag(store: ObjectStore) -> None:
    etag = store.create("a/b", b"12345")
    info = store.head("a/b")
    assert (info.key, info.etag, info.size) == ("a/b", etag, 5)
    assert info.modified_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - info.modified_at) < timedelta(minutes=1)


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"x" * 3_000_000], ids=["empty", "binary", "large"])
def test_bodies_of_any_size_come_back_whole(store: ObjectStore, body: bytes) -> None:
    store.put("k", body)
    assert store.get("k")[0] == body


def test_create_is_refused_where_the_key_exists_and_changes_nothing(store: ObjectStore) -> None:
    etag = store.create("k", b"first")
    with pytest.raises(ObjectExists):
        store.create("k", b"second")
    assert store.get("k") == (b"first", etag)


def test_a_key_can_be_created_again_after_its_deletion(store: ObjectStore) -> None:
    old = store.create("k", b"old")
    store.delete("k")
    assert store.create("k", b"new") != old


def test_replace_needs_the_present_etag(store: ObjectStore) -> None:
    first = store.create("k", b"1")
    second = store.replace("k", b"2", etag=first)
    with pytest.raises(ObjectChanged):
        store.replace("k", b"3", etag=first)
    assert store.get("k") == (b"2", second)


def test_replace_never_creates(store: ObjectStore) -> None:
    etag = store.create("k", b"1")
    store.delete("k")
    with pytest.raises(ObjectChanged):
        store.replace("k", b"2", etag=etag)
    with pytest.raises(ObjectNotFound):
        store.get("k")


def test_every_content_of_a_key_has_an_etag_of_its_own(store: ObjectStore) -> None:
    etags = [store.put("k", b"%03d" % number) for number in range(200)]
    assert len(set(etags)) == 200


@pytest.mark.parametrize("new_store", IN_FOLDERS, indirect=True)
def test_in_a_folder_every_write_has(store: ObjectStore) -> None:
    etags = [store.put("k", b"same") for _ in range(200)]
    assert len(set(etags)) == 200


def test_put_overwrites_whatever_is_there(store: ObjectStore) -> None:
    store.put("k", b"1")
    etag = store.put("k", b"22")
    assert store.get("k") == (b"22", etag)


def test_a_file_is_stored_as_it_was_when_it_was_given(store: ObjectStore, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"before")
    store.put("k", body)
    body.write_bytes(b"after!")
    assert store.get("k")[0] == b"before"
    body.unlink()
    assert store.get("k")[0] == b"before"


def test_a_file_that_does_not_exist_is_the_callers_error_and_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put("k", tmp_path / "none")
    assert list(store.list("")) == []


def test_a_missing_key_is_not_found(store: ObjectStore) -> None:
    store.put("folder/key", b"")
    for key in ("none", "folder", "folder/other", "folder/key/below", "folder/none/below"):
        with pytest.raises(ObjectNotFound):
            store.get(key)
        with pytest.raises(ObjectNotFound):
            store.head(key)
        with pytest.raises(ObjectNotFound):
            store.open(key)


@pytest.mark.parametrize(("offset", "rest"), [(0, b"0123456789"), (7, b"789"), (10, b"")])
def test_open_streams_from_the_offset(store: ObjectStore, offset: int, rest: bytes) -> None:
    store.put("k", b"0123456789")
    with store.open("k", offset=offset) as stream:
        assert stream.read() == rest


def test_an_open_stream_keeps_the_object_that_was_opened(store: ObjectStore) -> None:
    store.put("k", b"old" * 1000)
    with store.open("k") as stream:
        store.put("k", b"new" * 1000)
        assert stream.read() == b"old" * 1000


def test_delete_removes_and_may_be_repeated(store: ObjectStore) -> None:
    store.put("a/b/c", b"")
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.delete("a")
    assert list(store.list("")) == []


def test_delete_with_an_etag_needs_the_present_one(store: ObjectStore) -> None:
    old = store.put("k", b"1")
    new = store.put("k", b"2")
    with pytest.raises(ObjectChanged):
        store.delete("k", etag=old)
    assert store.get("k")[0] == b"2"
    store.delete("k", etag=new)
    store.delete("k", etag=new)
    assert list(store.list("")) == []


def test_a_listing_tells_what_head_tells(store: ObjectStore) -> None:
    for key in ("a/b", "a/c", "d"):
        store.put(key, key.encode())
    assert list(store.list("")) == [store.head(key) for key in ("a/b", "a/c", "d")]


def test_a_prefix_is_text_and_need_not_end_at_a_slash(store: ObjectStore) -> None:
    for key in ("runs/2026/11/19/x", "runs/2026/11/20/y", "runs/2026/11/21/z", "runs-old/1", "run"):
        store.put(key, b"")
    assert [info.key for info in store.list("runs/2026/11/2")] == ["runs/2026/11/20/y", "runs/2026/11/21/z"]
    assert next(info.key for info in store.list("runs/")) == "runs/2026/11/19/x"
    assert [info.key for info in store.list("run")] == [
        "run",
        "runs-old/1",
        "runs/2026/11/19/x",
        "runs/2026/11/20/y",
        "runs/2026/11/21/z",
    ]


@pytest.mark.parametrize("prefix", ["none", "none/", "/", "a//", "../", "a/../", ".", ".locks/", ".tmp/"])
def test_a_prefix_that_no_key_has_lists_nothing(store: ObjectStore, prefix: str) -> None:
    store.put("a/b", b"")
    assert list(store.list(prefix)) == []


def test_keys_deleted_during_a_listing_do_not_break_it(store: ObjectStore) -> None:
    for number in range(5):
        store.put(f"a/{number}", b"")
    listing = store.list("a/")
    assert next(listing).key == "a/0"
    for number in range(1, 5):
        store.delete(f"a/{number}")
    assert {info.key for info in listing} <= {f"a/{number}" for number in range(1, 5)}


@pytest.mark.parametrize(
    "key",
    [
        *("", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", ".hidden", "a/.hidden", "a\\b", "a\0b", "\ud800"),
        *("x" * 256, "é" * 128, "/".join(["x" * 250] * 5)),
    ],
)
def test_a_bad_key_is_a_value_error_for_every_verb(store: ObjectStore, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.create(key, b""),
        lambda: store.replace(key, b"", etag="x"),
        lambda: store.put(key, b""),
        lambda: store.get(key),
        lambda: store.open(key),
        lambda: store.head(key),
        lambda: store.delete(key),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="object key"):
            call()


@pytest.mark.parametrize("new_store", IN_FOLDERS, indirect=True)
def test_a_key_and_a_folder_of_keys_cannot_have_one_name(store: ObjectStore) -> None:
    store.put("a/b/c", b"")
    for key in ("a", "a/b", "a/b/c/d", "a/b/c/d/e"):
        with pytest.raises(ValueError, match="folder of other keys"):
            store.create(key, b"")
        with pytest.raises(ValueError, match="folder of other keys"):
            store.put(key, b"")
    assert [info.key for info in store.list("")] == ["a/b/c"]


def test_the_adapter_proves_that_it_honours_conditional_writes(store: ObjectStore) -> None:
    prove_conditional_writes(store)
    assert list(store.list("")) == []


# Few names, so that keys share folders; characters on both sides of the slash, and past the 16 bits of UTF-16.
_names = st.text(alphabet="-/.0aAé\uffee\U0001f600", min_size=1, max_size=6)
_keys = st.lists(_names, max_size=30)


def _storable(names: list[str]) -> list[str]:
    """Those of the names that are keys and fit beside each other, sorted."""
    chosen: set[str] = set()
    for name in names:
        parts = name.split("/")
        is_key = all(part and not part.startswith(".") for part in parts)
        ancestors = {"/".join(parts[:length]) for length in range(1, len(parts))}
        if is_key and not ancestors & chosen and not any(key.startswith(name + "/") for key in chosen):
            chosen.add(name)
    return sorted(chosen)


_listings = given(names=_keys, prefix=st.one_of(st.just(""), _names), start_after=st.one_of(st.just(""), _names))


def _check_listing(new_store: StoreFactory, names: list[str], prefix: str, start_after: str) -> None:
    keys = _storable(names)
    with new_store() as store:
        for key in reversed(keys):
            store.put(key, b"")
        starts = [start_after, *keys, *(key.rpartition("/")[0] + "/" for key in keys if "/" in key)]
        for prefix_tried in ("", prefix, *(key[: len(key) // 2] for key in keys[:3])):
            for start in starts[:12]:
                expected = [key for key in keys if key.startswith(prefix_tried) and key > start]
                assert [info.key for info in store.list(prefix_tried, start_after=start)] == expected


@pytest.mark.parametrize("new_store", IN_FOLDERS, indirect=True)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@_listings
def test_a_listing_is_the_sorted_keys_cut_by_prefix_and_start(
    new_store: StoreFactory, names: list[str], prefix: str, start_after: str
) -> None:
    _check_listing(new_store, names, prefix, start_after)


@pytest.mark.parametrize("new_store", OF_S3, indirect=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@_listings
def test_in_s3_it_is_the_same(new_store: StoreFactory, names: list[str], prefix: str, start_after: str) -> None:
    """Fewer cases: there the work is the server's."""
    _check_listing(new_store, names, prefix, start_after)


_operations = st.lists(
    st.tuples(st.sampled_from(["create", "put", "replace", "delete", "stale"]), st.integers(0, 2)),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=_operations)
def test_any_sequence_of_writes_ends_as_it_does_in_a_dictionary(
    new_store: StoreFactory, operations: list[tuple[str, int]]
) -> None:
    with new_store() as store:
        content: dict[str, tuple[bytes, str]] = {}
        given_out: set[tuple[str, str]] = set()
        for step, (operation, number) in enumerate(operations):
            key, body = f"folder-{number}/key", str(step).encode()
            present = content.get(key)
            etag = "" if present is None else present[1]
            if operation == "put":
                content[key] = (body, store.put(key, body))
            elif operation == "create" and present is None:
                content[key] = (body, store.create(key, body))
            elif operation == "replace" and present is not None:
                content[key] = (body, store.replace(key, body, etag=etag))
            elif operation == "delete" and present is not None:
                store.delete(key, etag=etag)
                del content[key]
            elif operation == "create":
                with pytest.raises(ObjectExists):
                    store.create(key, body)
            else:
                for old in {old for of, old in given_out if of == key} - {etag}:
                    with pytest.raises(ObjectChanged):
                        store.replace(key, body, etag=old)
                    if present is not None:
                        with pytest.raises(ObjectChanged):
                            store.delete(key, etag=old)
            if key in content:
                given_out.add((key, content[key][1]))
        assert {info.key: store.get(info.key) for info in store.list("")} == content
