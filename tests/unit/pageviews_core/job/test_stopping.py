from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pageviews_core.errors import Stopped
from pageviews_core.job.stopping import Stopping


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nothing_stops_until_it_is_asked_to() -> None:
    stopping = Stopping()
    stopping.check()
    assert not stopping.wait(0)
    assert not stopping.asked()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_asks_for_a_stop_and_interrupts_nothing(number: signal.Signals) -> None:
    stopping = Stopping()
    stopping.listen()
    os.kill(os.getpid(), number)
    assert stopping.wait(10)
    assert stopping.asked()
    with pytest.raises(Stopped, match="stays owed"):
        stopping.check()


def test_a_wait_ends_early_once_a_stop_is_asked_for() -> None:
    stopping = Stopping()
    stopping.ask()
    assert stopping.wait(3600)
