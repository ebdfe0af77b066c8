from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core.errors import LeaseLost, StoreUnavailable, UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.lease import LeaseHeld, LeaseRecord, Leases, lease_key

HOUR = Hour.parse("2026-11-20T09")
KEY = "leases/ingested/2026/11/20/09.json"


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


OpenLeases = Callable[[str], Leases]


@pytest.fixture
def leases_of(store: InMemoryObjectStore, clock: FakeClock) -> Iterator[OpenLeases]:
    """Leases of a run, renewed only where the test does it."""
    opened: list[Leases] = []

    def make(holder: str) -> Leases:
        opened.append(Leases(store, clock, holder=holder))
        return opened[-1]

    yield make
    store.before = store.after = no_fault
    for leases in opened:
        leases.close()


def _record(store: InMemoryObjectStore) -> LeaseRecord:
    return LeaseRecord.decode(store.get(KEY)[0], KEY)


def _unavailable(verb: str, key: str) -> None:
    raise StoreUnavailable("no route")


def _answer_lost_once(store: InMemoryObjectStore) -> None:
    """The next write happens, but the writer does not hear of it."""

    def lose(verb: str, key: str) -> None:
        store.after = no_fault
        raise StoreUnavailable("connection reset")

    store.after = lose


def test_a_lease_stands_under_its_stage_and_hour() -> None:
    assert lease_key("ingested", HOUR) == KEY


def test_a_new_lease_takes_one_request_and_says_who_holds_it(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    lease = leases_of("run-a").acquire("ingested", HOUR)
    assert store.requests == {"create": 1}
    assert lease.fence == 1
    lease.ensure()
    record = _record(store)
    assert (record.schema_version, record.stage, record.hour, record.holder) == (1, "ingested", HOUR, "run-a")
    assert (record.fence, record.pid) == (1, os.getpid())
    assert record.acquired_at == clock.now()
    assert record.expires_at == clock.now() + timedelta(seconds=60)


def test_a_held_lease_is_refused_with_its_holder_and_expiry(clock: FakeClock, leases_of: OpenLeases) -> None:
    leases_of("run-a").acquire("ingested", HOUR)
    clock.advance(59.9)
    with pytest.raises(LeaseHeld, match="held by run run-a until 2026-11-20T10:16:00Z") as held:
        leases_of("run-b").acquire("ingested", HOUR)
    assert held.value.holder == "run-a"
    assert held.value.expires_at == clock.now() + timedelta(seconds=0.1)


def test_a_run_does_not_get_a_lease_twice(leases_of: OpenLeases) -> None:
    leases = leases_of("run-a")
    leases.acquire("ingested", HOUR)
    with pytest.raises(LeaseHeld):
        leases.acquire("ingested", HOUR)


def test_other_hours_and_stages_have_leases_of_their_own(leases_of: OpenLeases) -> None:
    leases_of("run-a").acquire("ingested", HOUR)
    other = leases_of("run-b")
    assert other.acquire("transformed", HOUR).fence == 1
    assert other.acquire("ingested", HOUR + 1).fence == 1


def test_a_released_lease_is_kept_marked_free_and_its_fence_goes_on(
    store: InMemoryObjectStore, leases_of: OpenLeases
) -> None:
    for fence, holder in enumerate(["run-a", "run-b", "run-a", "run-c"], start=1):
        with leases_of(holder).acquire("ingested", HOUR) as lease:
            assert lease.fence == fence
        record = _record(store)
        assert (record.holder, record.fence, record.expires_at) == (holder, fence, None)


def test_an_expired_lease_is_taken_with_a_higher_fence_and_the_first_holder_loses(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    first = leases_of("run-a").acquire("ingested", HOUR)
    clock.advance(60)
    second = leases_of("run-b").acquire("ingested", HOUR)
    assert second.fence == 2
    with pytest.raises(LeaseLost, match=r"leases/ingested/2026/11/20/09.json \(fence 1\) is lost: it expired"):
        first.ensure()
    second.ensure()
    first.release()
    assert _record(store).holder == "run-b"
    assert _record(store).expires_at is not None


def test_renewing_keeps_a_lease_for_as_long_as_it_is_needed(clock: FakeClock, leases_of: OpenLeases) -> None:
    holder, other = leases_of("run-a"), leases_of("run-b")
    lease = holder.acquire("ingested", HOUR)
    for _ in range(20):
        clock.advance(15)
        assert holder.renew()
        lease.ensure()
        with pytest.raises(LeaseHeld):
            other.acquire("ingested", HOUR)
    assert lease.fence == 1


def test_a_renewal_that_finds_another_holder_loses_the_lease_at_once(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    clock.step(60)
    leases_of("run-b").acquire("ingested", HOUR)
    clock.step(-60)  # now only the store knows
    lease.ensure()
    holder.renew()
    with pytest.raises(LeaseLost, match="another run took it over"):
        lease.ensure()
    taken = store.get(KEY)
    lease.release()
    assert store.get(KEY) == taken


def test_a_lease_whose_object_was_deleted_is_lost(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    store.delete(KEY)
    holder.renew()
    with pytest.raises(LeaseLost):
        lease.ensure()
    lease.release()
    assert store.all_keys() == ()


def test_an_unreachable_store_is_tried_again_until_the_expiry(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    store.before = _unavailable
    for _ in range(3):
        clock.advance(15)
        assert not holder.renew()
        lease.ensure()
    store.before = no_fault
    assert holder.renew()
    clock.advance(59)
    lease.ensure()
    store.before = _unavailable
    clock.advance(1)
    assert not holder.renew()
    store.before = no_fault
    holder.renew()
    with pytest.raises(LeaseLost, match="could not be renewed: no route"):
        lease.ensure()


def test_one_lease_that_cannot_be_renewed_does_not_keep_the_others_from_it(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    first, second = holder.acquire("ingested", HOUR), holder.acquire("ingested", HOUR + 1)
    store.before = lambda verb, key: _unavailable(verb, key) if key == first.key else None
    clock.advance(30)
    assert not holder.renew()
    clock.advance(30)
    second.ensure()
    with pytest.raises(LeaseLost):
        first.ensure()


@pytest.mark.parametrize(
    ("passed", "set_by"), [(61, 0), (61, -61), (0, 61)], ids=["both clocks", "only monotonic", "only wall"]
)
def test_a_process_that_slept_past_the_expiry_has_lost_the_lease_whichever_clock_tells(
    clock: FakeClock, leases_of: OpenLeases, passed: float, set_by: float
) -> None:
    lease = leases_of("run-a").acquire("ingested", HOUR)
    clock.advance(passed)
    clock.step(set_by)
    with pytest.raises(LeaseLost):
        lease.ensure()
    clock.advance(-passed)
    clock.step(-set_by)
    with pytest.raises(LeaseLost):  # for good
        lease.ensure()


def test_a_renewal_after_waking_saves_a_lease_that_nobody_took(clock: FakeClock, leases_of: OpenLeases) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    clock.advance(600)
    assert holder.renew()
    lease.ensure()


def test_a_lease_that_was_found_lost_is_never_renewed_but_still_freed(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    clock.advance(61)
    with pytest.raises(LeaseLost):
        lease.ensure()
    holder.renew()
    with pytest.raises(LeaseLost):
        lease.ensure()
    lease.release()
    assert _record(store).expires_at is None


def test_time_that_the_acquiring_write_took_counts(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    store.after = lambda verb, key: clock.advance(61)
    lease = leases_of("run-a").acquire("ingested", HOUR)
    with pytest.raises(LeaseLost):
        lease.ensure()


def test_a_released_lease_protects_nothing(leases_of: OpenLeases) -> None:
    with leases_of("run-a").acquire("ingested", HOUR) as lease:
        pass
    with pytest.raises(LeaseLost, match="it was released"):
        lease.ensure()


def test_a_renewal_whose_answer_was_lost_is_recognised_as_our_own(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    lease = holder.acquire("ingested", HOUR)
    clock.advance(15)
    _answer_lost_once(store)
    assert not holder.renew()
    clock.advance(3)
    assert holder.renew()
    clock.advance(59)
    lease.ensure()
    lease.release()
    assert _record(store).expires_at is None


def test_an_acquisition_whose_answer_was_lost_can_be_repeated_at_once(
    store: InMemoryObjectStore, leases_of: OpenLeases
) -> None:
    leases = leases_of("run-a")
    _answer_lost_once(store)
    with pytest.raises(StoreUnavailable):
        leases.acquire("ingested", HOUR)
    with pytest.raises(LeaseHeld):
        leases_of("run-b").acquire("ingested", HOUR)
    assert leases.acquire("ingested", HOUR).fence == 2


def test_a_release_that_the_store_refuses_is_left_to_the_expiry(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    lease = leases_of("run-a").acquire("ingested", HOUR)
    store.before = _unavailable
    lease.release()
    store.before = no_fault
    with pytest.raises(LeaseHeld):
        leases_of("run-b").acquire("ingested", HOUR)
    clock.advance(60)
    assert leases_of("run-b").acquire("ingested", HOUR).fence == 2


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"schema_version": None}, {"surprise": 1}])
def test_a_record_of_another_version_is_refused_and_left_alone(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases, change: dict[str, object]
) -> None:
    leases_of("run-a").acquire("ingested", HOUR).release()
    newer = json.dumps({**json.loads(store.get(KEY)[0]), **change}).encode()
    store.put(KEY, newer)
    clock.advance(3600)
    with pytest.raises(UnknownSchemaVersion, match=KEY):
        leases_of("run-b").acquire("ingested", HOUR, wait=True)
    assert store.get(KEY)[0] == newer


def test_one_who_waits_gets_in_when_a_killed_holder_has_expired(clock: FakeClock, leases_of: OpenLeases) -> None:
    leases_of("run-a").acquire("ingested", HOUR)
    clock.advance(20)
    lease = leases_of("run-b").acquire("ingested", HOUR, wait=True)
    assert lease.fence == 2
    assert 40 <= sum(clock.slept) <= 41


def test_one_who_waits_gets_in_soon_after_a_release(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    held = leases_of("run-a").acquire("ingested", HOUR)
    sleep = clock.sleep

    def sleep_and_release(seconds: float) -> None:
        sleep(seconds)
        if sum(clock.slept) >= 10:
            held.release()

    clock.sleep = sleep_and_release  # type: ignore[method-assign]
    assert leases_of("run-b").acquire("ingested", HOUR, wait=True).fence == 2
    assert sum(clock.slept) <= 11


def test_one_who_waits_for_a_living_holder_gives_up_after_the_ttl_and_five_seconds(
    clock: FakeClock, leases_of: OpenLeases
) -> None:
    holder = leases_of("run-a")
    holder.acquire("ingested", HOUR)
    sleep = clock.sleep

    def sleep_and_renew(seconds: float) -> None:
        sleep(seconds)
        holder.renew()

    clock.sleep = sleep_and_renew  # type: ignore[method-assign]
    with pytest.raises(LeaseHeld):
        leases_of("run-b").acquire("ingested", HOUR, wait=True)
    assert sum(clock.slept) == pytest.approx(65)


def test_an_acquisition_that_meets_another_in_the_middle_sees_the_winner(
    store: InMemoryObjectStore, clock: FakeClock, leases_of: OpenLeases
) -> None:
    leases_of("run-a").acquire("ingested", HOUR).release()
    other, loser = leases_of("run-b"), leases_of("run-c")

    def overtake(verb: str, key: str) -> None:
        if verb == "replace":
            store.before = no_fault
            other.acquire("ingested", HOUR)

    store.before = overtake
    with pytest.raises(LeaseHeld) as held:
        loser.acquire("ingested", HOUR)
    assert held.value.holder == "run-b"


def test_closing_frees_what_is_still_held_and_ends_the_thread(
    store: InMemoryObjectStore, leases_of: OpenLeases
) -> None:
    with leases_of("run-a") as leases:
        lease = leases.acquire("ingested", HOUR)
        assert "lease-renewer" in {thread.name for thread in threading.enumerate()}
    assert "lease-renewer" not in {thread.name for thread in threading.enumerate()}
    assert _record(store).expires_at is None
    with pytest.raises(LeaseLost):
        lease.ensure()
    with pytest.raises(RuntimeError, match="closed"):
        leases.acquire("ingested", HOUR)


def test_the_thread_renews_all_leases_and_tries_again_soon_after_a_failure(
    store: InMemoryObjectStore, clock: FakeClock
) -> None:
    renewed: dict[str, int] = {}
    enough = threading.Event()
    failed = False

    def note(verb: str, key: str) -> None:
        nonlocal failed
        if verb == "replace" and not enough.is_set():
            if not failed:
                failed = True
                raise StoreUnavailable("once")
            renewed[key] = renewed.get(key, 0) + 1
            if len(renewed) == 2 and min(renewed.values()) >= 2:
                enough.set()

    with Leases(store, clock, holder="run-a", renew_every=timedelta(milliseconds=20)) as leases:
        leases.acquire("ingested", HOUR)
        leases.acquire("ingested", HOUR + 1)
        store.before = note
        assert enough.wait(20)
    assert failed
