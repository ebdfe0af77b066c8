from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pageviews_core.errors import ConfigurationError, StoreUnavailable
from pageviews_core.object_store import local
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.object_store.file_lock import exclusive
from pageviews_core.object_store.local import LocalObjectStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(root: Path) -> LocalObjectStore:
    return LocalObjectStore(root)


def _fail_with(code: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def _temporary_files(root: Path) -> list[Path]:
    return list((root / ".tmp").iterdir())


def test_opening_and_reading_leave_no_trace(store: LocalObjectStore, root: Path) -> None:
    assert list(store.list("")) == []
    store.delete("a/b")
    assert not root.exists()


def test_the_url_is_that_of_the_resolved_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real # folder")
    assert LocalObjectStore(tmp_path / "link").url == f"{tmp_path.as_uri()}/real%20%23%20folder"


def test_objects_are_plain_files_under_their_keys(store: LocalObjectStore, root: Path) -> None:
    store.put("raw/2026/file.gz", b"bytes")
    assert (root / "raw/2026/file.gz").read_bytes() == b"bytes"
    assert _temporary_files(root) == []


def test_folders_that_a_deletion_emptied_are_removed(store: LocalObjectStore, root: Path) -> None:
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete("a/b/c")
    assert (root / "a").exists()
    assert not (root / "a/b").exists()
    store.delete("a/d")
    assert sorted(path.name for path in root.iterdir()) == [".locks", ".tmp"]


def test_a_folder_that_another_process_makes_and_removes_meanwhile_is_made_again(
    store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir
    met: list[Path] = []

    def there_and_gone(folder: Path, *args: object, **options: object) -> None:
        if folder.name == "shared" and not met:
            met.append(folder)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
        mkdir(folder, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", there_and_gone)
    etag = store.create("shared/key", b"body")
    assert met
    assert store.get("shared/key") == (b"body", etag)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_may_pass_and_leaves_the_old_object(
    store: LocalObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.put("a/k", b"old")
    monkeypatch.setattr(os, "fsync", _fail_with(code))
    with pytest.raises(StoreUnavailable, match=r"disk is full .*objects, key a/k.*free space"):
        store.put("a/k", b"new")
    assert store.get("a/k")[0] == b"old"
    assert _temporary_files(root) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_a_configuration_error(
    store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_with(code))
    with pytest.raises(ConfigurationError, match=r"no permission .*objects, key a/k"):
        store.create("a/k", b"")


def test_a_failing_disk_is_unavailable(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _fail_with(errno.EIO))
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        store.create("a/k", b"")


def test_a_file_system_without_hard_links_is_a_configuration_error(
    store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _fail_with(errno.ENOTSUP))
    with pytest.raises(ConfigurationError, match="cannot serve as object store"):
        store.create("a/k", b"")


def test_a_folder_without_permission_cannot_be_listed(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a/k", b"")
    monkeypatch.setattr(os, "scandir", _fail_with(errno.EACCES))
    with pytest.raises(ConfigurationError, match="no permission"):
        list(store.list("a/"))


def test_a_lock_that_a_stopped_process_keeps_is_waited_for_only_so_long(
    store: LocalObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = store.put("k", b"")
    monkeypatch.setattr(local, "LOCK_PATIENCE_SECONDS", 0.01)
    (shard,) = (root / ".locks").iterdir()
    with exclusive(shard, patience_seconds=0), pytest.raises(StoreUnavailable, match="locked by another process"):
        store.replace("k", b"", etag=etag)


def test_an_etag_does_not_come_back_when_the_clock_stands_still(
    store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000_000_000_000)
    etags = [store.put("k", b"same") for _ in range(50)]
    assert len(set(etags)) == 50


def test_an_etag_does_not_come_back_where_the_file_system_keeps_whole_seconds(
    store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    utime = os.utime

    def coarse(path: Path, *, ns: tuple[int, int]) -> None:
        seconds = ns[1] // 2_000_000_000 * 2_000_000_000
        utime(path, ns=(seconds, seconds))

    monkeypatch.setattr(os, "utime", coarse)
    etags = [store.put("k", b"same") for _ in range(50)]
    assert len(set(etags)) == 50


def test_an_existing_key_refuses_a_creation_before_the_body_is_copied(store: LocalObjectStore, tmp_path: Path) -> None:
    store.create("k", b"")
    with pytest.raises(ObjectExists):
        store.create("k", tmp_path / "not-even-looked-at")


def test_only_temporary_files_older_than_a_day_are_swept(store: LocalObjectStore, root: Path) -> None:
    now = datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert store.sweep(now) == 0
    store.put("kept/object", b"")
    for name, age in (("old", timedelta(hours=25)), ("young", timedelta(hours=23))):
        (root / ".tmp" / name).touch()
        os.utime(root / ".tmp" / name, ((now - age).timestamp(),) * 2)
    assert store.sweep(now) == 1
    assert [path.name for path in _temporary_files(root)] == ["young"]
    assert [info.key for info in store.list("")] == ["kept/object"]


@pytest.mark.parametrize("below", ["", "objects"])
def test_a_file_in_the_stores_place_is_a_matter_of_configuration(tmp_path: Path, below: str) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    store = LocalObjectStore(tmp_path / "occupied" / below)
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_STORE_URL"):
        store.put("a/b", b"")


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: list(store.list("")),
        lambda store: store.get("a"),
        lambda store: store.head("a"),
    ],
)
def test_a_folder_that_was_there_and_is_gone_is_no_empty_store(
    store: LocalObjectStore, root: Path, ask: Callable[[LocalObjectStore], object]
) -> None:
    store.put("a", b"x")
    assert [info.key for info in store.list("")] == ["a"]
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(StoreUnavailable, match="is gone"):
        ask(store)
    root.with_name("elsewhere").rename(root)
    ask(store)


def test_a_file_in_the_stores_place_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="is a file"):
        list(LocalObjectStore(tmp_path / "file").list(""))


def test_its_room_is_that_of_its_disk_once_there_is_one(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path / "objects")
    assert store.room() is None
    store.put("a", b"1")
    room = store.room()
    assert room is not None
    assert 0 < room.free <= room.total
