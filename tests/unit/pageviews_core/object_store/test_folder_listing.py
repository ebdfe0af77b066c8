from __future__ import annotations

import os
from pathlib import Path

import pytest

from pageviews_core.hour import Hour, hour_range
from pageviews_core.object_store.folder_listing import walk


def _keys(root: Path, prefix: str = "", start_after: str = "") -> list[str]:
    return [key for key, _ in walk(root, prefix, start_after)]


def _touch(root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).touch()


def test_a_name_that_continues_below_the_slash_comes_before_the_folder(tmp_path: Path) -> None:
    keys = ["a!", "a-/z", "a-b", "a.b", "a/b", "a/c/d", "a/c0", "a0", "aa"]
    assert keys == sorted(keys)
    _touch(tmp_path, *keys)
    assert _keys(tmp_path) == keys


def test_names_sort_by_code_point_beyond_the_sixteenth_bit(tmp_path: Path) -> None:
    _touch(tmp_path, "\U0001f600", "\uffee", "Z", "é", "z")
    assert _keys(tmp_path) == ["Z", "z", "é", "\uffee", "\U0001f600"]


def test_hidden_foreign_and_linked_entries_are_not_objects(tmp_path: Path) -> None:
    _touch(tmp_path, "a/b", ".tmp/x", ".locks/00", "a/.partial", "back\\slash")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert _keys(tmp_path) == ["a/b"]


def test_a_missing_root_is_an_empty_store(tmp_path: Path) -> None:
    assert _keys(tmp_path / "none") == []


def test_only_folders_that_can_hold_wanted_keys_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Hour.parse("2026-01-01T00")
    keys = [f"markers/ingested/{hour.path}/1.json" for hour in hour_range(start, start + 24 * 28)]
    _touch(tmp_path, *keys, *(f"markers/transformed/{day}" for day in range(5)), "raw/x/y/z", "changes/1")
    read: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        read.append(str(Path(path).relative_to(tmp_path)))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert _keys(tmp_path, "markers/ingested/", keys[-3]) == keys[-2:]
    last = "markers/ingested/2026/01/28"
    parents = ["markers/ingested", "markers/ingested/2026", "markers/ingested/2026/01", last]
    assert read == [*parents, *(f"{last}/{hour}" for hour in ("21", "22", "23"))]

    read.clear()
    listing = walk(tmp_path, "", "")
    assert next(listing)[0] == "changes/1"
    assert read == [".", "changes"], "a listing goes only as far as it is read"
