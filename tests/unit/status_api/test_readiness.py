from __future__ import annotations

import asyncio
import threading

import pytest
from structlog.testing import capture_logs
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core import keys
from pageviews_core.errors import ConfigurationError, StoreUnavailable
from status_api.readiness import Readiness, ask


def _refuse(verb: str, key: str) -> None:
    raise StoreUnavailable("the disk is full at a secret place")


def test_a_store_without_any_object_can_be_read() -> None:
    store = InMemoryObjectStore()
    assert ask(store) is None
    store.put(keys.SETTLED, b"{}")
    assert ask(store) is None


def test_a_probe_costs_one_request() -> None:
    store = InMemoryObjectStore()
    assert asyncio.run(Readiness(store).reason_against()) is None
    assert store.requests == {"head": 1}


@pytest.mark.parametrize("error", [StoreUnavailable, ConfigurationError])
def test_a_store_that_refuses_is_named_by_its_error_without_its_address(error: type[Exception]) -> None:
    store = InMemoryObjectStore()

    def refuse(verb: str, key: str) -> None:
        raise error("secret address")

    store.before = refuse
    assert asyncio.run(Readiness(store).reason_against()) == error.__name__


def test_the_log_says_a_change_once_and_in_full() -> None:
    store = InMemoryObjectStore()
    readiness = Readiness(store)

    async def probe() -> None:
        await readiness.reason_against()
        store.before = _refuse
        await readiness.reason_against()
        await readiness.reason_against()
        store.before = lambda verb, key: None
        await readiness.reason_against()

    with capture_logs() as logs:
        asyncio.run(probe())
    assert [entry["event"] for entry in logs] == ["object_store_unreadable", "object_store_readable_again"]
    assert logs[0]["detail"] == "the disk is full at a secret place"


def test_a_store_that_hangs_is_asked_once_however_many_probes_come() -> None:
    store = InMemoryObjectStore()
    answering = threading.Event()

    def hang(verb: str, key: str) -> None:
        answering.wait(10)

    store.before = hang
    readiness = Readiness(store, within_seconds=0.05)

    async def probe() -> None:
        for reason in await asyncio.gather(*(readiness.reason_against() for _ in range(20))):
            assert reason == "no answer within 0.05 s"
        assert await readiness.reason_against() == "no answer within 0.05 s"
        assert store.requests == {"head": 1}
        answering.set()
        while await readiness.reason_against():
            pass

    asyncio.run(probe())


def test_a_bug_in_an_adapter_is_no_answer() -> None:
    store = InMemoryObjectStore()

    def bug(verb: str, key: str) -> None:
        raise ZeroDivisionError

    store.before = bug
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Readiness(store).reason_against())
