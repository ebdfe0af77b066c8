from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.memory_object_store import InMemoryObjectStore, no_fault
from ulid import ULID

from pageviews_core import keys
from pageviews_core.errors import ConfigurationError, ExitCode, StoreUnavailable
from pageviews_core.job.watch import CLOCK_SKEW, ChangesSeen, next_tick
from pageviews_core.journal import Journal
from pageviews_core.records.control import Change

NOW = datetime(2026, 11, 20, 10, 14, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("15-55/10 * * * *", "10:14:59", "10:15"),
        ("15-55/10 * * * *", "10:15:00", "10:25"),
        ("15-55/10 * * * *", "10:55:01", "11:15"),
        ("15 * * * *", "10:15:01", "11:15"),
        ("*/5 * * * *", "23:59:59", "00:00"),
    ],
)
def test_the_next_tick_is_after_now_in_utc(cron: str, now: str, expected: str) -> None:
    at = next_tick(cron, datetime.fromisoformat(f"2026-11-20T{now}+00:00"))
    assert f"{at:%H:%M}" == expected
    assert at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("cron", ["", "every hour", "15", "61 * * * *", "* * * * * * *", "0 0 30 2 *"])
def test_a_bad_expression_is_named_with_an_example(cron: str) -> None:
    with pytest.raises(ConfigurationError, match=r"PAGEVIEWS_CRON=.*five fields") as caught:
        next_tick(cron, NOW)
    assert caught.value.exit_code == ExitCode.CONFIGURATION


class Feed:
    """A changes feed to which changes are added at chosen times."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.journal = Journal(self.store)

    def add(self, key: str, at: datetime = NOW) -> None:
        change = Change(kind=key.split("/", 1)[0], key=key)
        self.store.put(keys.change(str(ULID.from_datetime(at))), change.encode())


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_only_changes_since_the_last_look_are_new(feed: Feed) -> None:
    feed.add("markers/old")
    changes = ChangesSeen(feed.journal, NOW)
    assert changes.new_keys(NOW) == []
    feed.add("requests/open/1.json")
    feed.add("markers/new", NOW + timedelta(seconds=1))
    assert sorted(changes.new_keys(NOW)) == ["markers/new", "requests/open/1.json"]
    assert changes.new_keys(NOW) == []


def test_a_change_of_a_machine_whose_clock_is_behind_is_seen_too(feed: Feed) -> None:
    changes = ChangesSeen(feed.journal, NOW)
    feed.add("markers/late", NOW - CLOCK_SKEW + timedelta(seconds=1))
    assert changes.new_keys(NOW) == ["markers/late"]


def test_a_look_without_changes_is_one_request(feed: Feed) -> None:
    feed.add("markers/old")
    changes = ChangesSeen(feed.journal, NOW)
    feed.store.requests.clear()
    changes.new_keys(NOW)
    assert dict(feed.store.requests) == {"list": 1}


def test_changes_that_could_not_be_read_are_new_the_next_time(feed: Feed) -> None:
    changes = ChangesSeen(feed.journal, NOW)
    feed.add("requests/open/1.json")

    def failing(verb: str, key: str) -> None:
        if verb == "get":
            raise StoreUnavailable("down")

    feed.store.before = failing
    with pytest.raises(StoreUnavailable):
        changes.new_keys(NOW)
    feed.store.before = no_fault
    assert changes.new_keys(NOW) == ["requests/open/1.json"]


def test_a_change_that_was_pruned_between_listing_and_reading_is_passed_over(feed: Feed) -> None:
    changes = ChangesSeen(feed.journal, NOW)
    feed.add("markers/gone")

    def pruned(verb: str, key: str) -> None:
        if verb == "get":
            feed.store.before = no_fault
            feed.store.delete(key)

    feed.store.before = pruned
    assert changes.new_keys(NOW) == []
