"""Leases between real processes on one folder, with a short ttl."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pageviews_core.clock import SystemClock
from pageviews_core.errors import LeaseLost
from pageviews_core.hour import Hour
from pageviews_core.lease import LeaseHeld, LeaseRecord, Leases, lease_key
from pageviews_core.object_store.local import LocalObjectStore

SPAWN = multiprocessing.get_context("spawn")
HOUR = Hour.parse("2026-11-20T09")
KEY = lease_key("ingested", HOUR)
ROUNDS = 40


def _hold(root: Path, pipe: Connection, ttl: timedelta, renew_every: timedelta) -> None:
    """A run that takes the hour and does what it is told."""
    with Leases(LocalObjectStore(root), SystemClock(), holder="paused", ttl=ttl, renew_every=renew_every) as leases:
        lease = leases.acquire("ingested", HOUR)
        pipe.send(lease.fence)
        while (command := pipe.recv()) != "end":
            try:
                if command == "renew":
                    leases.renew()
                if command == "release":
                    lease.release()
                else:
                    lease.ensure()
                pipe.send("fine")
            except LeaseLost as exc:
                pipe.send(str(exc))


def _compete(root: Path, pipe: Connection, name: int) -> None:
    """Takes the hour again and again, and leaves a file for as long as it has it."""
    store, overlaps = LocalObjectStore(root), 0
    fences: list[int] = []
    with Leases(store, SystemClock(), holder=f"run-{name}") as leases:
        pipe.send("ready")
        pipe.recv()
        while len(fences) < ROUNDS:
            try:
                with leases.acquire("ingested", HOUR) as lease:
                    inside = root.parent / "inside"
                    try:
                        inside.touch(exist_ok=False)
                    except FileExistsError:
                        overlaps += 1
                    fences.append(lease.fence)
                    inside.unlink(missing_ok=True)
            except LeaseHeld:
                continue
    pipe.send((fences, overlaps))


@contextmanager
def _process(work: Callable[..., None], root: Path, *arguments: object) -> Iterator[tuple[Connection, int]]:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=work, args=(root, theirs, *arguments))
    process.start()
    assert process.pid is not None
    try:
        yield ours, process.pid
    finally:
        process.kill()
        process.join()


def _answer(pipe: Connection) -> object:
    assert pipe.poll(60), "the other process does not answer"
    return pipe.recv()


def _record(root: Path) -> LeaseRecord:
    return LeaseRecord.decode(LocalObjectStore(root).get(KEY)[0], KEY)


def test_two_processes_never_have_the_hour_at_once_and_no_fence_comes_twice(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    with _process(_compete, root, 1) as (one, _), _process(_compete, root, 2) as (two, _):
        for pipe in (one, two):
            assert _answer(pipe) == "ready"
        for pipe in (one, two):
            pipe.send("go")
        results = [_answer(pipe) for pipe in (one, two)]
    fences: list[int] = []
    for result in results:
        assert isinstance(result, tuple)
        found, overlaps = result
        assert overlaps == 0
        assert found == sorted(found)
        fences += found
    assert sorted(fences) == list(range(1, 2 * ROUNDS + 1))
    assert _record(root).expires_at is None


def test_a_paused_process_loses_its_lease_and_changes_nothing_when_it_wakes(tmp_path: Path) -> None:
    ttl, root = timedelta(seconds=1), tmp_path / "objects"
    with _process(_hold, root, ttl, ttl / 4) as (pipe, pid):
        assert _answer(pipe) == 1
        os.kill(pid, signal.SIGSTOP)
        with Leases(LocalObjectStore(root), SystemClock(), holder="second", ttl=ttl, renew_every=ttl / 4) as leases:
            with pytest.raises(LeaseHeld):
                leases.acquire("ingested", HOUR)
            second = leases.acquire("ingested", HOUR, wait=True)
            assert second.fence == 2
            pipe.send("ensure")
            pipe.send("renew")
            pipe.send("release")
            os.kill(pid, signal.SIGCONT)
            assert "is lost" in str(_answer(pipe))
            assert "is lost" in str(_answer(pipe))
            assert _answer(pipe) == "fine"
            second.ensure()
            assert (_record(root).holder, _record(root).fence) == ("second", 2)
        pipe.send("end")
    assert (_record(root).holder, _record(root).expires_at) == ("second", None)


def test_a_paused_process_that_renews_first_keeps_a_lease_that_nobody_took(tmp_path: Path) -> None:
    ttl, root = timedelta(seconds=0.5), tmp_path / "objects"
    with _process(_hold, root, ttl, timedelta(hours=1)) as (pipe, pid):
        assert _answer(pipe) == 1
        os.kill(pid, signal.SIGSTOP)
        expires_at = _record(root).expires_at
        assert expires_at is not None
        clock = SystemClock()
        while clock.now() <= expires_at:
            clock.sleep(0.05)
        pipe.send("renew")
        os.kill(pid, signal.SIGCONT)
        assert _answer(pipe) == "fine"
        pipe.send("end")


def test_a_killed_process_leaves_a_lease_that_ends_by_itself(tmp_path: Path) -> None:
    ttl, root = timedelta(seconds=1), tmp_path / "objects"
    with _process(_hold, root, ttl, ttl / 4) as (pipe, pid):
        assert _answer(pipe) == 1
        os.kill(pid, signal.SIGKILL)
    with Leases(LocalObjectStore(root), SystemClock(), holder="second", ttl=ttl) as leases:
        assert leases.acquire("ingested", HOUR, wait=True).fence == 2
