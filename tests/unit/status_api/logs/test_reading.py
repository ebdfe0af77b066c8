from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.status_api.filled import Filled, run_id

from pageviews_core import keys
from pageviews_core.run_log_join import join_segments, segment_key
from status_api.logs import reading
from status_api.logs.reading import follow, raw_log, read_log
from status_api.queries.answers import NotFound

RUN = run_id(1)
PREFIX = keys.run(RUN)


def line(number: int, **more: Any) -> bytes:
    return json.dumps({"event": f"e{number}", "level": "info", "time": "2026-11-20T10:00:00Z", **more}).encode()


def write(filled: Filled, *segments: list[bytes], joined: bool = False, state: Any = "succeeded") -> None:
    filled.run(1, state=state)
    for number, lines in enumerate(segments, 1):
        filled.store.create(segment_key(PREFIX, number), b"".join(each + b"\n" for each in lines))
    if joined:
        join_segments(filled.store, PREFIX)


@contextmanager
def of_its_own() -> Iterator[Filled]:
    filled = Filled()
    yield filled
    filled.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(1, 7), max_size=5), limit=st.integers(1, 9), joined=st.booleans(),
    odd=st.binary(max_size=30).filter(lambda raw: b"\n" not in raw),
)  # fmt: skip
def test_pages_put_together_are_every_line_once(sizes: list[int], limit: int, joined: bool, odd: bytes) -> None:
    with of_its_own() as filled:
        segments, number = [], 0
        for size in sizes:
            segments.append([line(number + each) for each in range(size - 1)] + [odd or b"x"])
            number += size
        write(filled, *segments, joined=joined)
        view, found, start = filled.view, [], 1
        while True:
            page = read_log(view, RUN, start=start, limit=limit)
            assert page.total == number
            found += [each.number for each in page.lines]
            if page.next_line is None:
                break
            start = page.next_line
        assert found == list(range(1, number + 1))
        assert b"".join(raw_log(view, RUN)).count(b"\n") == number


@pytest.mark.parametrize("joined", [True, False])
def test_it_opens_at_the_first_error_else_at_the_end(filled: Filled, joined: bool) -> None:
    lines = [line(number) for number in range(1, 31)]
    write(filled, lines[:20], lines[20:], joined=joined)
    page = read_log(filled.view, RUN, limit=4)
    assert ([each.number for each in page.lines], page.first_error, page.next_line) == ([27, 28, 29, 30], None, None)


@pytest.mark.parametrize("joined", [True, False])
def test_the_first_error_comes_with_some_lines_before_it(filled: Filled, joined: bool) -> None:
    lines = [line(number, level="error" if number in (12, 14) else "info") for number in range(1, 21)]
    write(filled, lines, joined=joined, state="failed")
    page = read_log(filled.view, RUN, limit=10)
    assert (page.first_error, page.first) == (12, 7)
    assert page.levels == ({"info": 18, "error": 2} if joined else {})


@pytest.mark.parametrize("joined", [True, False])
def test_an_error_in_the_very_last_line_is_found(filled: Filled, joined: bool) -> None:
    lines = [line(number) for number in range(1, 9)] + [line(9, level="critical")]
    write(filled, lines[:4], lines[4:], joined=joined, state="failed")
    assert read_log(filled.view, RUN).first_error == 9


def test_filters_by_level_step_model_and_search(filled: Filled) -> None:
    write(
        filled,
        [
            line(1, level="debug"), line(2, step="dbt", model="fct"), line(3, level="warning", text="Ärger <b>"),
            line(4, level="error", step="load"), b"plain words",
        ],
        joined=True,
    )  # fmt: skip
    view = filled.view

    def numbers(**filters: Any) -> list[int]:
        return [each.number for each in read_log(view, RUN, start=1, **filters).lines]

    assert numbers(level="warning") == [3, 4]
    assert numbers(step="dbt") == numbers(model="fct") == [2]
    assert numbers(search="ÄRGER") == [3]
    assert numbers(search="PLAIN") == [5]
    assert numbers(search="nowhere") == []


def test_a_search_that_takes_long_stops_and_says_how_far_it_came(filled: Filled) -> None:
    write(filled, [line(number) for number in range(1, 101)])
    view = filled.view

    class Slow(type(filled.clock)):  # type: ignore[misc]
        def monotonic(self) -> float:
            self.advance(0.3)
            return float(super().monotonic())

    slow = type(view)(view.index, view.store, Slow(), view.settings, view.scheduler)
    page = read_log(slow, RUN, start=1, search="nowhere")
    assert page.lines == ()
    assert 0 < page.scanned_to < 100
    assert page.next_line == page.scanned_to + 1


def test_long_lines_are_cut_and_others_shown_as_they_are(filled: Filled) -> None:
    write(filled, [line(1, text="x" * 20_000), b"[1, 2]", b"\xff\xfe"])
    long, array, odd = read_log(filled.view, RUN, start=1).lines
    assert len(long.text) < 9_000
    assert long.text.endswith("[…]")
    assert (array.text, odd.text) == ("[1, 2]", "��")


def test_a_log_of_a_killed_run_and_one_with_a_gap_say_so(filled: Filled) -> None:
    write(filled, [line(1)], state="running")
    filled.clock.advance(600)
    assert "last seconds" in (read_log(filled.view, RUN).incomplete or "")
    filled.store.create(segment_key(PREFIX, 3), line(2))
    assert "1 pieces" in (read_log(filled.view, RUN).incomplete or "")


def test_a_damaged_log_gives_what_can_be_read(filled: Filled) -> None:
    write(filled, [line(1), line(2)], joined=True)
    body, _ = filled.store.get(f"{PREFIX}/log.jsonl.gz")
    filled.store.put(f"{PREFIX}/log.jsonl.gz", body[:-12])
    page = read_log(filled.view, RUN, start=1)
    assert page.incomplete is not None
    assert "cannot be read" in page.incomplete


def test_a_run_without_a_log_has_an_empty_one_and_an_unknown_run_none(filled: Filled) -> None:
    filled.run(1)
    page = read_log(filled.view, RUN)
    assert (page.lines, page.total, page.ended) == ((), 0, True)
    for asked in (lambda: read_log(filled.view, run_id(2)), lambda: raw_log(filled.view, run_id(2))):
        with pytest.raises(NotFound):
            asked()


def test_following_gives_the_earlier_lines_then_the_new_ones_and_ends_with_the_run(filled: Filled) -> None:
    write(filled, [line(1), line(2)], state="running")
    view = filled.view

    def wait(seconds: float) -> None:
        assert seconds == reading.POLL_SECONDS
        filled.store.create(segment_key(PREFIX, 2), line(3) + b"\n")
        filled.run(1)
        filled.index.refresh()

    found = list(follow(view, RUN, 1, wait=wait))
    assert [each and each.number for each in found] == [2, None, 3]
