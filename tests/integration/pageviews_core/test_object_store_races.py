"""Real processes on one store."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from tests.tools.s3_servers import S3Server, moto_server, use_credentials, versitygw, versitygw_path

from pageviews_core.object_store.base import ObjectChanged, ObjectExists, ObjectNotFound, ObjectStore
from pageviews_core.object_store.local import LocalObjectStore

SPAWN = multiprocessing.get_context("spawn")
INCREMENTS = 50


@dataclass(frozen=True)
class Place:
    """A store that each process opens for itself: a folder, or a prefix in a bucket."""

    root: Path
    server: S3Server | None = None

    def open(self) -> ObjectStore:
        if self.server is None:
            return LocalObjectStore(self.root)
        use_credentials()
        return self.server.store("races", self.root.name)


@pytest.fixture(params=["local", "moto", "versitygw"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        yield Place(tmp_path)
        return
    if request.param == "versitygw" and versitygw_path() is None:
        pytest.skip("versitygw is not installed: see tests/tools/system_tools.sh")
    with moto_server() if request.param == "moto" else versitygw(tmp_path / "buckets") as server:
        server.create_bucket("races")
        yield Place(Path(request.param), server)


def _create_each(place: Place, barrier: Barrier, name: int) -> list[int]:
    """The rounds that this process won."""
    store, won = place.open(), []
    for attempt in range(20):
        barrier.wait(60)
        try:
            store.create(f"markers/{attempt}.json", str(name).encode())
        except ObjectExists:
            continue
        won.append(attempt)
    return won


def _increment(place: Place, barrier: Barrier, name: int) -> list[int]:
    store, conflicts = place.open(), 0
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


def _create_and_delete(place: Place, barrier: Barrier, name: int) -> list[int]:
    """Every deletion empties the shared folder that the others are about to write to."""
    store = place.open()
    barrier.wait(60)
    for number in range(40):
        key = f"shared/folder/{name}-{number}"
        store.create(key, b"x")
        store.delete(key)
    return []


def _replace_large(place: Place, barrier: Barrier, name: int) -> list[int]:
    """Writers put objects of one repeated byte; readers must never see two of them mixed, nor none."""
    store = place.open()
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


def _race(work: Callable[[Place, Barrier, int], list[int]], place: Place, processes: int) -> list[list[int]]:
    with SPAWN.Manager() as manager:
        barrier = manager.Barrier(processes)
        with SPAWN.Pool(processes) as pool:
            return pool.starmap(work, [(place, barrier, name) for name in range(processes)])


def test_of_eight_creators_exactly_one_wins_each_key(place: Place) -> None:
    won = _race(_create_each, place, 8)
    assert sorted(attempt for attempts in won for attempt in attempts) == list(range(20))
    store = place.open()
    for name, attempts in enumerate(won):
        assert all(store.get(f"markers/{attempt}.json")[0] == str(name).encode() for attempt in attempts)


def test_conditional_increments_of_four_processes_lose_none(place: Place) -> None:
    place.open().create("counter", b"0")
    conflicts = _race(_increment, place, 4)
    assert place.open().get("counter")[0] == str(4 * INCREMENTS).encode()
    assert sum(sum(found) for found in conflicts) > 0, "they never met: the test proves nothing"


def test_a_folder_that_empties_again_and_again_stops_no_writer(place: Place) -> None:
    _race(_create_and_delete, place, 4)
    assert list(place.open().list("")) == []


def test_a_reader_sees_an_old_object_or_a_new_one_whole(place: Place) -> None:
    place.open().put("blob", b"\xff" * 300_000)
    assert _race(_replace_large, place, 4) == [[], [], [], []]
