from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore, no_fault

from pageviews_core import run_log as run_log_module
from pageviews_core.errors import StoreUnavailable
from pageviews_core.run_log import BUFFER_BYTES, SEGMENT_BYTES, RunLog
from pageviews_core.run_log_join import LogIndex

PREFIX = "runs/2026/11/20/01KAF3Z9M0000000000000000"
FIRST = f"{PREFIX}/log/000001.jsonl"
SECOND = f"{PREFIX}/log/000002.jsonl"
JOINED = f"{PREFIX}/log.jsonl.gz"
INDEX = f"{PREFIX}/log.index.json"


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


@pytest.fixture
def run_log(store: InMemoryObjectStore) -> Iterator[RunLog]:
    """Its thread acts only when it is woken."""
    with RunLog(store, PREFIX, FakeClock(), seal_every=timedelta(hours=1)) as log:
        yield log
        store.before = store.after = no_fault


def _unavailable(verb: str, key: str) -> None:
    raise StoreUnavailable("no route")


def _line(number: int, size: int = 0) -> bytes:
    return json.dumps({"event": "step", "number": number, "padding": "x" * size}).encode() + b"\n"


def _joined(store: InMemoryObjectStore) -> bytes:
    return gzip.decompress(store.get(JOINED)[0])


def test_nothing_is_written_before_it_is_time(store: InMemoryObjectStore, run_log: RunLog) -> None:
    run_log.write(_line(1))
    assert store.requests.total() == 0


def test_sealing_writes_what_there_is_and_nothing_when_there_is_nothing(
    store: InMemoryObjectStore, run_log: RunLog
) -> None:
    assert run_log.seal()
    run_log.write(_line(1))
    run_log.write(_line(2).decode().rstrip("\n"))
    assert run_log.seal()
    assert run_log.seal()
    run_log.write(_line(3))
    assert run_log.seal()
    assert store.requests == {"create": 2}
    assert store.get(FIRST)[0] == _line(1) + _line(2)
    assert store.get(SECOND)[0] == _line(3)


def test_text_that_is_no_unicode_is_kept_escaped(store: InMemoryObjectStore, run_log: RunLog) -> None:
    run_log.write("\udcff")
    run_log.seal()
    assert store.get(FIRST)[0] == b"\\udcff\n"


def test_a_segment_is_sealed_after_the_interval(store: InMemoryObjectStore) -> None:
    written = threading.Event()
    store.after = lambda verb, key: written.set() if key == FIRST else None
    with RunLog(store, PREFIX, FakeClock(), seal_every=timedelta(milliseconds=20)) as log:
        log.write(_line(1))
        assert written.wait(20)


@pytest.mark.parametrize(
    "lines",
    [
        [_line(number, 1000) for number in range(SEGMENT_BYTES // 1000)],
        [b'{"event": "failed", "level": "error"}\n'],
        [b'{"level":"critical"}'],
    ],
    ids=["a full segment", "an error", "a critical event"],
)
def test_some_lines_are_not_kept_waiting(store: InMemoryObjectStore, run_log: RunLog, lines: list[bytes]) -> None:
    written = threading.Event()
    store.after = lambda verb, key: written.set() if key == FIRST else None
    for line in lines:
        run_log.write(line)
    assert written.wait(20)


def test_a_burst_becomes_segments_of_whole_lines_and_bounded_size(store: InMemoryObjectStore, run_log: RunLog) -> None:
    lines = [_line(number, 300_000) for number in range(10)]
    lines.insert(5, _line(99, SEGMENT_BYTES))  # larger than a segment: one of its own
    for line in lines:
        run_log.write(line)
    run_log.seal()
    segments = [store.get(key)[0] for key in store.all_keys()]
    assert b"".join(segments) == b"".join(lines)
    assert all(segment.endswith(b"\n") for segment in segments)
    assert [len(segment) > SEGMENT_BYTES for segment in segments].count(True) == 1


def test_closing_joins_the_segments_with_an_index_and_deletes_them(store: InMemoryObjectStore) -> None:
    events = [
        {"event": "run_started", "level": "info", "time": "2026-11-20T10:15:00.5Z"},
        {"event": "model_built", "level": "info", "time": "2026-11-20T10:15:02Z", "step": "build", "model": "fct"},
        {"event": "late", "level": "warning", "time": "2026-11-20T10:15:01+00:00", "step": "build"},
    ]
    with RunLog(store, PREFIX, FakeClock()) as log:
        for event in events:
            log.write(json.dumps(event))
            log.seal()
    assert store.all_keys() == (INDEX, JOINED)
    assert [json.loads(line) for line in _joined(store).splitlines()] == events
    index = LogIndex.decode(store.get(INDEX)[0], INDEX)
    assert (index.lines, index.bytes, index.unparsed) == (3, len(_joined(store)), 0)
    assert index.first_at == datetime(2026, 11, 20, 10, 15, 0, 500_000, tzinfo=UTC)
    assert index.last_at == datetime(2026, 11, 20, 10, 15, 2, tzinfo=UTC)
    assert index.levels == {"info": 2, "warning": 1}
    assert (index.steps, index.models) == ({"build": 2}, {"fct": 1})


def test_closing_twice_or_without_a_line_does_nothing_more(store: InMemoryObjectStore) -> None:
    with RunLog(store, PREFIX, FakeClock()) as log:
        pass
    log.close()
    assert store.all_keys() == ()


def test_a_failing_store_is_reported_once_and_loses_no_line(
    store: InMemoryObjectStore, run_log: RunLog, capsys: pytest.CaptureFixture[str]
) -> None:
    store.before = _unavailable
    for number in range(3):
        run_log.write(_line(number))
        assert not run_log.seal()
    assert capsys.readouterr().out.count("run_log_not_stored") == 1
    store.before = no_fault
    run_log.close()
    assert _joined(store) == b"".join(map(_line, range(3)))


def test_a_segment_whose_answer_was_lost_is_not_written_twice(store: InMemoryObjectStore, run_log: RunLog) -> None:
    store.after = _unavailable
    run_log.write(_line(1))
    assert not run_log.seal()
    store.after = no_fault
    run_log.write(_line(2))
    assert run_log.seal()
    assert store.get(FIRST)[0] == _line(1)
    assert store.get(SECOND)[0] == _line(2)


def test_beyond_the_buffer_lines_are_dropped_and_counted_where_they_are_missing(
    store: InMemoryObjectStore, run_log: RunLog
) -> None:
    store.before = _unavailable
    kept = BUFFER_BYTES // len(_line(1000, 9000))
    for number in range(1000, 1000 + kept + 50):
        run_log.write(_line(number, 9000))
    assert not run_log.seal()
    store.before = no_fault
    assert run_log.seal()
    run_log.write(_line(7))
    run_log.close()
    lines = [json.loads(line) for line in _joined(store).splitlines()]
    assert [line.get("number") for line in lines] == [*range(1000, 1000 + kept), None, 7]
    assert lines[kept] == {
        "event": "log_lines_dropped",
        "level": "warning",
        "lines": 50,
        "time": "2026-11-20T10:15:00+00:00",
    }


def test_one_line_that_fits_no_buffer_is_dropped_alone(store: InMemoryObjectStore, run_log: RunLog) -> None:
    run_log.write(b"x" * (BUFFER_BYTES + 1))
    run_log.write(_line(1))
    run_log.close()
    events = [json.loads(line)["event"] for line in _joined(store).splitlines()]
    assert events == ["log_lines_dropped", "step"]


def test_a_store_that_fails_to_the_end_raises_nothing_and_keeps_memory_bounded(store: InMemoryObjectStore) -> None:
    store.before = _unavailable
    log = RunLog(store, PREFIX, FakeClock())
    tracemalloc.start()
    try:
        for number in range(5000):
            log.write(_line(number, 10_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    log.close()
    assert peak < 1.5 * BUFFER_BYTES
    assert store.all_keys() == ()


def test_segments_that_cannot_be_joined_stay(
    store: InMemoryObjectStore, run_log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_log_module, "join_segments", full)
    run_log.write(_line(1))
    run_log.close()
    assert store.all_keys() == (FIRST,)


def test_lines_of_many_threads_are_all_there_and_whole(store: InMemoryObjectStore, run_log: RunLog) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 500):
            run_log.write(_line(number, number % 700))
            if number % 100 == 0:
                run_log.seal()

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 500, 1000, 1500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_log.close()
    assert sorted(json.loads(line)["number"] for line in _joined(store).splitlines()) == list(range(2000))
