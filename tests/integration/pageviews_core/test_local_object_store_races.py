"""Real processes on one folder."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectNotFound
from pageviews_core.object_store.local import LocalObjectStore

SPAWN = multiprocessing.get_context("spawn")
INCREMENTS = 50


def _create_each(root: Path, barrier: Barrier, name: int) -> list[int]:
    """The rounds that this process won."""
    store, won = LocalObjectStore(root), []
    for attempt in range(20):
        barrier.wait(60)
        try:
            store.create(f"markers/{attempt}.json", str(name).encode())
        except ObjectExists:
            continue
        won.append(attempt)
    return won


def _increment(root: Path, barrier: Barrier, name: int) -> list[int]:
    store, conflicts = LocalObjectStore(root), 0
    barrier.wait(60)
    for _ in range(INCREMENTS):
        while True:
            body, etag = store.get("counter")
            try:
                store.replace("counter", str(int(body) + 1).encode(), etag=etag)
                break
            except ObjectChanged:
                conflicts += 1
    return [conflicts]


def _create_and_delete(root: Path, barrier: Barrier, name: int) -> list[int]:
    """Every deletion empties the shared folder that the others are about to write to."""
    store = LocalObjectStore(root)
    barrier.wait(60)
    for number in range(40):
        key = f"shared/folder/{name}-{number}"
        store.create(key, b"x")
        store.delete(key)
    return []


def _replace_large(root: Path, barrier: Barrier, name: int) -> list[int]:
    """Writers put objects of one repeated byte; readers must never see two of them mixed, nor none."""
    store = LocalObjectStore(root)
    barrier.wait(60)
    for number in range(30):
        if name % 2:
            store.put("blob", bytes([number]) * 300_000)
        else:
            try:
                body, _ = store.get("blob")
            except ObjectNotFound:
                return [-1]
            if body.count(body[:1]) != 300_000:
                return [-2]
    return []


def _race(work: Callable[[Path, Barrier, int], list[int]], root: Path, processes: int) -> list[list[int]]:
    with SPAWN.Manager() as manager:
        barrier = manager.Barrier(processes)
        with SPAWN.Pool(processes) as pool:
            return pool.starmap(work, [(root, barrier, name) for name in range(processes)])


def test_of_eight_creators_exactly_one_wins_each_key(tmp_path: Path) -> None:
    won = _race(_create_each, tmp_path, 8)
    assert sorted(attempt for attempts in won for attempt in attempts) == list(range(20))
    store = LocalObjectStore(tmp_path)
    for name, attempts in enumerate(won):
        assert all(store.get(f"markers/{attempt}.json")[0] == str(name).encode() for attempt in attempts)


def test_conditional_increments_of_four_processes_lose_none(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path).create("counter", b"0")
    conflicts = _race(_increment, tmp_path, 4)
    assert LocalObjectStore(tmp_path).get("counter")[0] == str(4 * INCREMENTS).encode()
    assert sum(sum(found) for found in conflicts) > 0, "they never met: the test proves nothing"


def test_a_folder_that_empties_again_and_again_stops_no_writer(tmp_path: Path) -> None:
    _race(_create_and_delete, tmp_path, 4)
    assert list(LocalObjectStore(tmp_path).list("")) == []


def test_a_reader_sees_an_old_object_or_a_new_one_whole(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path).put("blob", b"\xff" * 300_000)
    assert _race(_replace_large, tmp_path, 4) == [[], [], [], []]
