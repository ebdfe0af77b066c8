from __future__ import annotations

from datetime import timedelta

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore
from tests.samples import no_scheduler
from tests.unit.status_api.memory_index import MemoryIndex

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.object_store.base import Body
from pageviews_core.records.notification import Notification
from status_api.index.index import Filling, StoreHealth
from status_api.notifying.message import Message
from status_api.notifying.notifier import ATTEMPTS, TAKEN_OVER_AFTER, Notifier
from status_api.notifying.webhook import NotTaken
from status_api.settings import StatusSettings
from status_api.view import View

AFTER = timedelta(minutes=15)
HALF_A_MINUTE = 30.0


class Receiver:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken = False

    def post(self, message: Message, now: object) -> None:
        if self.broken:
            raise NotTaken("HTTP 500")
        self.messages.append(message)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(message.cause, message.state) for message in self.messages]


class Replicas:
    """Over one store and one state of things."""

    def __init__(self, count: int, store: InMemoryObjectStore | None = None) -> None:
        self.index, self.clock, self.receiver = MemoryIndex(), FakeClock(), Receiver()
        self.store = store or InMemoryObjectStore()
        self.views = [View(self.index, self.store, self.clock, StatusSettings(), no_scheduler()) for _ in range(count)]
        self.notifiers = [Notifier(view, self.receiver, after=AFTER) for view in self.views]

    def pass_time(self, time: timedelta) -> None:
        """Each looks twice a minute."""
        for _ in range(int(time.total_seconds() / HALF_A_MINUTE)):
            self.clock.advance(HALF_A_MINUTE)
            for notifier in self.notifiers:
                notifier.look()

    def fail(self, hour: str = "2026-11-20T05", error: str = "SourceCorrupt") -> None:
        self.index.add(
            "hours", hour=hour, state="failed", failure_kind="failed", failing_since="2026-11-20T06:00:00Z", attempt=2,
            next_try_at="2026-11-20T12:00:00Z", error_type=error, error="cut short", failed_run="RUN",
        )  # fmt: skip

    def acknowledge(self) -> None:
        self.index.rows("update hours set acknowledged_until = '2026-12-01T00:00:00Z'")
        self.index.version += 1

    def heal(self) -> None:
        self.index.rows("delete from hours")
        self.index.version += 1


def test_a_problem_and_its_end_are_told_once_by_three_replicas() -> None:
    replicas = Replicas(3)
    replicas.fail()
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == [("failed:SourceCorrupt", "firing")]
    replicas.heal()
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told[1:] == [("failed:SourceCorrupt", "resolved")]
    assert [message.id.split("-")[1] for message in replicas.receiver.messages] == ["firing", "resolved"]
    assert not list(replicas.store.list(keys.NOTIFICATIONS))
    replicas.fail()
    replicas.pass_time(timedelta(hours=1))
    assert len({message.id for message in replicas.receiver.messages}) == 3  # a new one is another message


def test_what_passes_before_its_time_is_not_told_and_a_retry_ends_nothing() -> None:
    replicas = Replicas(2)
    for _ in range(4):  # it fails and is tried again, over and over
        replicas.fail()
        replicas.pass_time(AFTER - timedelta(minutes=1))
        replicas.heal()
        replicas.pass_time(timedelta(minutes=2))
    assert replicas.receiver.told == []
    replicas.fail()
    replicas.pass_time(timedelta(minutes=20))
    for _ in range(4):
        replicas.heal()
        replicas.pass_time(timedelta(minutes=2))
        replicas.fail()
        replicas.pass_time(timedelta(minutes=20))
    assert replicas.receiver.told == [("failed:SourceCorrupt", "firing")]


def test_an_acknowledged_hour_is_quiet() -> None:
    replicas = Replicas(1)
    replicas.fail()
    replicas.acknowledge()
    replicas.pass_time(timedelta(hours=2))
    assert replicas.receiver.told == []


def test_a_receiver_that_is_down_gets_it_later_once() -> None:
    replicas = Replicas(2)
    replicas.fail()
    replicas.receiver.broken = True
    replicas.pass_time(timedelta(minutes=30))
    replicas.receiver.broken = False
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == [("failed:SourceCorrupt", "firing")]
    counts = sum((view.notifications for view in replicas.views), start=type(replicas.views[0].notifications)())
    assert counts["failed"] <= 1 + timedelta(minutes=15) / TAKEN_OVER_AFTER
    assert counts["sent"] == 1


def test_a_receiver_that_stays_down_is_given_up_and_counted() -> None:
    replicas = Replicas(2)
    replicas.fail()
    replicas.receiver.broken = True
    replicas.pass_time(timedelta(hours=6))
    assert sum(view.notifications["failed"] for view in replicas.views) == ATTEMPTS
    assert sum(view.notifications["dropped"] for view in replicas.views) == 1


def test_a_replica_that_died_with_a_message_in_its_hands_is_followed_by_another() -> None:
    replicas = Replicas(2)
    replicas.fail()
    died = Notification(
        cause="failed:SourceCorrupt", id="01JD4Q2Z5V0000000000000009", state="firing", title="1 hour failed",
        since=replicas.clock.now(), claimed_at=replicas.clock.now(), attempts=1,
    )  # fmt: skip
    replicas.store.create(keys.notification(died.cause), died.encode())
    replicas.pass_time(TAKEN_OVER_AFTER + timedelta(minutes=1))
    assert [message.id for message in replicas.receiver.messages] == [f"{died.id}-firing"]


def test_a_failure_that_nobody_was_told_of_has_no_end_to_tell() -> None:
    replicas = Replicas(2)
    replicas.fail()
    replicas.receiver.broken = True
    replicas.pass_time(timedelta(minutes=16))
    replicas.heal()
    replicas.receiver.broken = False
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == []
    assert not list(replicas.store.list(keys.NOTIFICATIONS))


def test_a_problem_that_comes_back_while_its_end_is_not_taken_is_told_anew() -> None:
    replicas = Replicas(2)
    replicas.fail()
    replicas.pass_time(timedelta(minutes=20))
    replicas.heal()
    replicas.receiver.broken = True
    replicas.pass_time(timedelta(minutes=20))
    replicas.fail()
    replicas.receiver.broken = False
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == [("failed:SourceCorrupt", "firing")] * 2
    assert len({message.id for message in replicas.receiver.messages}) == 2


def test_a_store_that_is_down_is_told_without_it() -> None:
    replicas = Replicas(1)
    replicas.index.store = StoreHealth(up=False, error="gone", seen_at=None)
    replicas.store.before = _gone
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == [("store_down", "firing")]
    replicas.store.before = lambda verb, key: None
    replicas.index.store = StoreHealth(up=True, error=None, seen_at=None)
    replicas.pass_time(timedelta(minutes=1))
    assert replicas.receiver.told == [("store_down", "firing"), ("store_down", "resolved")]


def _gone(verb: str, key: str) -> None:
    raise StoreUnavailable("gone")


def test_nothing_is_told_before_the_store_was_read_whole() -> None:
    replicas = Replicas(1)
    replicas.fail()
    replicas.index.filling = Filling(complete=False, read=1, known=100)
    replicas.pass_time(timedelta(hours=1))
    assert replicas.receiver.told == []


def test_a_foreign_object_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    replicas = Replicas(1)
    key = f"{keys.NOTIFICATIONS}other.json"
    body: Body = b'{"schema_version": 99}'
    replicas.store.put(key, body)
    replicas.fail()
    replicas.pass_time(timedelta(minutes=20))
    assert replicas.receiver.told == [("failed:SourceCorrupt", "firing")]
    assert replicas.store.get(key)[0] == body
