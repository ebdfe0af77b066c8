"""The files below a folder in the order of their keys, without looking where no wanted key can be.

Sorting names folder by folder is not enough: `a-b` comes before `a/b`, since `-` sorts before `/`. A folder's name
sorts right among its siblings when it ends in the slash that every key in it goes on with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pageviews_core.object_store.key_rules import is_part


def walk(root: Path, prefix: str, start_after: str) -> Iterator[tuple[str, os.stat_result]]:
    """Keys that begin with `prefix` and sort after `start_after`, with their files' status.

    One folder's names are in memory at a time for each level. What appears or goes meanwhile may be seen or not.
    """
    folder, slash, start_of_name = prefix.rpartition("/")
    if slash and not all(map(is_part, folder.split("/"))):
        return
    yield from _walk(root / folder, folder + slash, start_of_name, start_after)


def _walk(path: str | Path, folder: str, start_of_name: str, start_after: str) -> Iterator[tuple[str, os.stat_result]]:
    for name, entry in _entries(path, start_of_name):
        key = folder + name
        if name[-1] == "/":
            if key > start_after or start_after.startswith(key):
                yield from _walk(entry.path, key, "", start_after)
        elif key > start_after:
            try:
                yield key, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # deleted since the folder was read


def _entries(path: str | Path, start_of_name: str) -> list[tuple[str, os.DirEntry[str]]]:
    """Files and folders whose names can be parts of keys, folders with a slash at the end, in the order of keys."""
    found = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(start_of_name) and is_part(entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        found.append((entry.name + "/", entry))
                    elif entry.is_file(follow_symlinks=False):
                        found.append((entry.name, entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found.sort(key=lambda pair: pair[0])
    return found
