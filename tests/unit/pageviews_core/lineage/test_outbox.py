from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from pageviews_core.lineage.outbox import Outbox, Send

SOON = 0.05


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """What a receiver that hangs waits for."""
    event = threading.Event()
    yield event
    event.set()


def outbox(connect: Send[int] | Exception, *, capacity: int = 100, patience: float = 10) -> Outbox[int]:
    def connected() -> Send[int]:
        if isinstance(connect, Exception):
            raise connect
        return connect

    return Outbox(connected, name="items", capacity=capacity, patience=patience)


def hang(let_go: threading.Event) -> None:
    let_go.wait()


def closed(box: Outbox[int]) -> list[structlog.types.EventDict]:
    with capture_logs() as logs:
        box.close()
    return logs


def test_sends_everything_in_order_in_a_thread_of_its_own() -> None:
    sent: list[tuple[int, bool]] = []
    here = threading.current_thread()
    box = outbox(lambda item: sent.append((item, threading.current_thread() is here)))
    for item in range(50):
        box.put(item)
    assert closed(box) == []
    assert sent == [(item, False) for item in range(50)]


def test_connects_only_when_there_is_something_to_send() -> None:
    assert closed(outbox(AssertionError("connected"))) == []


def test_what_fails_is_counted_and_the_rest_is_sent() -> None:
    sent = []

    def send(item: int) -> None:
        if item % 2:
            raise ConnectionError("https://user:secret@host refused")
        sent.append(item)

    box = outbox(send)
    for item in range(5):
        box.put(item)
    [said] = closed(box)
    assert sent == [0, 2, 4]
    assert (said["event"], said["dropped"], said["sent"], said["reason"]) == ("items_dropped", 2, 3, "ConnectionError")


def test_a_receiver_that_cannot_be_reached_at_all_loses_all() -> None:
    box = outbox(OSError("no route"))
    box.put(1)
    box.put(2)
    [said] = closed(box)
    assert (said["dropped"], said["sent"], said["reason"]) == (2, 0, "OSError")


def test_a_receiver_that_hangs_is_left_after_its_patience(let_go: threading.Event) -> None:
    box = outbox(lambda _: hang(let_go), patience=SOON)
    box.put(1)
    box.put(2)
    [said] = closed(box)  # it returns at all
    assert (said["dropped"], said["sent"], said["reason"]) == (2, 0, "no answer")


def test_a_full_queue_drops_what_comes_and_never_waits(let_go: threading.Event) -> None:
    took = threading.Event()

    def send(_: int) -> None:
        took.set()
        let_go.wait()

    box = outbox(send, capacity=3, patience=SOON)
    box.put(0)
    took.wait()
    for item in range(1, 10):
        box.put(item)  # three of them wait
    [said] = closed(box)
    assert (said["dropped"], said["sent"], said["reason"]) == (10, 0, "the queue is full")


def test_a_slow_receiver_that_goes_on_taking_is_waited_for() -> None:
    sent = []
    never = threading.Event()

    def send(item: int) -> None:
        never.wait(0.4)
        sent.append(item)

    box = outbox(send, patience=1)
    for item in range(4):
        box.put(item)
    assert closed(box) == []
    assert sent == list(range(4))
