from __future__ import annotations

from datetime import timedelta

import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core.errors import ConfigurationError, Stopped
from pageviews_core.job.stopping import Stopping
from pageviews_core.object_store.base import Body


class Careless(InMemoryObjectStore):
    """Accepts every write, as a store without conditional writes does."""

    def create(self, key: str, body: Body) -> str:
        return self.put(key, body)


def test_a_run_begins_only_on_a_store_that_honours_conditions() -> None:
    store = Careless()
    with samples.session_on(store, FakeClock()) as session:
        with pytest.raises(ConfigurationError, match="conditional writes"):
            session.begin()
        assert not session.run.began


def test_the_store_is_proved_once_and_the_proof_leaves_nothing() -> None:
    store = InMemoryObjectStore()
    with samples.session_on(store, FakeClock()) as session:
        session.prove_store()
        asked = session.store.total
        session.prove_store()
        assert session.store.total == asked
    assert store.all_keys() == ()


def test_no_new_work_starts_once_the_budget_is_spent() -> None:
    clock = FakeClock()
    with samples.session_on(InMemoryObjectStore(), clock, budget=timedelta(minutes=5)) as session:
        clock.advance(299)
        assert session.may_start_more()
        clock.advance(1)
        assert not session.may_start_more()


def test_no_new_work_starts_after_a_stop() -> None:
    stopping = Stopping()
    with samples.session_on(InMemoryObjectStore(), FakeClock(), stopping=stopping) as session:
        stopping.ask()
        with pytest.raises(Stopped, match="SIGTERM"):
            session.may_start_more()
