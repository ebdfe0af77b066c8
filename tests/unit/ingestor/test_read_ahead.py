from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import pytest

from ingestor.read_ahead import ReadAhead
from ingestor.wikimedia import Downloaded, DumpsClient, NotPublished
from pageviews_core.errors import PageviewsError, SourceUnavailable, Stopped
from pageviews_core.hour import Hour, hour_range

FIRST = Hour.parse("2026-11-20T00")
HOURS = list(hour_range(FIRST, FIRST + 5))
SOON = 10


@dataclass
class SlowClient:
    """Each download ends when its hour is served, or is given up."""

    given_up: Callable[[], bool] = lambda: False
    begun: list[Hour] = field(default_factory=list)
    served: dict[Hour, threading.Event] = field(default_factory=lambda: {hour: threading.Event() for hour in HOURS})
    answers: dict[Hour, PageviewsError | NotPublished] = field(default_factory=dict)
    closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def fetch_pageviews(self, hour: Hour, to: Path) -> Downloaded | NotPublished:
        self.begun.append(hour)
        part = to.with_name(f"{to.name}.part")
        part.write_text(str(hour))
        while not self.served[hour].wait(0.01):
            if self.given_up():
                raise Stopped("given up")
        answer = self.answers.get(hour)
        if isinstance(answer, PageviewsError):
            raise answer
        if answer:
            return answer
        part.rename(to)
        return Downloaded(to, f"http://dumps/{hour}.gz", None, None, to.stat().st_size, "0" * 64)


@contextmanager
def reading_ahead(folder: Path, *, workers: int = 3) -> Iterator[tuple[ReadAhead, SlowClient]]:
    client = SlowClient()

    def opened(given_up: Callable[[], bool]) -> DumpsClient:
        client.given_up = given_up
        return cast(DumpsClient, client)

    with ReadAhead(opened, folder / "ahead", workers=workers) as ahead:
        yield ahead, client


def wait_for(client: SlowClient, *hours: Hour) -> None:
    for _ in range(SOON * 100):
        if set(client.begun) >= set(hours):
            return
        threading.Event().wait(0.01)
    raise TimeoutError(f"begun: {client.begun}")


def test_a_file_that_was_read_ahead_is_moved_to_where_it_is_wanted(tmp_path: Path) -> None:
    with reading_ahead(tmp_path) as (ahead, client):
        ahead.expect(HOURS[0], HOURS[1:])
        wait_for(client, HOURS[1], HOURS[2])
        client.served[HOURS[1]].set()
        found = ahead.take(HOURS[1], tmp_path / "source.gz")
    assert found is not None
    assert found.path == tmp_path / "source.gz"
    assert found.path.read_text() == str(HOURS[1])


def test_one_connection_is_left_to_the_hour_at_hand(tmp_path: Path) -> None:
    with reading_ahead(tmp_path) as (ahead, client):
        ahead.expect(HOURS[0], HOURS[1:])
        wait_for(client, HOURS[1], HOURS[2])
    assert sorted(client.begun) == HOURS[1:3]


def test_the_next_hour_is_begun_while_the_one_at_hand_is_worked_on(tmp_path: Path) -> None:
    with reading_ahead(tmp_path, workers=2) as (ahead, client):
        ahead.expect(HOURS[0], HOURS[1:])
        client.served[HOURS[1]].set()
        ahead.expect(HOURS[1], HOURS[2:])
        assert ahead.take(HOURS[1], tmp_path / "source.gz")
        wait_for(client, HOURS[2])


def test_a_single_worker_reads_nothing_ahead(tmp_path: Path) -> None:
    with reading_ahead(tmp_path, workers=1) as (ahead, client):
        ahead.expect(HOURS[0], HOURS[1:])
        assert ahead.take(HOURS[1], tmp_path / "source.gz") is None
    assert client.begun == []
    assert not client.closed  # it was never opened


@pytest.mark.parametrize("answer", [SourceUnavailable("x"), NotPublished()])
def test_what_did_not_come_is_left_to_the_hours_own_download(
    tmp_path: Path, answer: PageviewsError | NotPublished
) -> None:
    with reading_ahead(tmp_path) as (ahead, client):
        client.answers[HOURS[1]] = answer
        client.served[HOURS[1]].set()
        ahead.expect(HOURS[0], HOURS[1:2])
        assert ahead.take(HOURS[1], tmp_path / "source.gz") is None
    assert not (tmp_path / "source.gz").exists()


def test_an_hour_that_is_no_longer_next_makes_room(tmp_path: Path) -> None:
    with reading_ahead(tmp_path, workers=2) as (ahead, client):
        client.served[HOURS[1]].set()
        ahead.expect(HOURS[0], [HOURS[1]])
        while not (tmp_path / "ahead" / f"{HOURS[1]}.gz").exists():
            threading.Event().wait(0.01)
        threading.Event().wait(0.05)  # for the future to be done after its file is there
        ahead.expect(HOURS[0], [HOURS[3]])
        wait_for(client, HOURS[3])
        assert not (tmp_path / "ahead" / f"{HOURS[1]}.gz").exists()
        assert ahead.take(HOURS[1], tmp_path / "source.gz") is None


def test_downloads_under_way_are_given_up_at_the_end(tmp_path: Path) -> None:
    with reading_ahead(tmp_path) as (ahead, client):
        ahead.expect(HOURS[0], HOURS[1:])
        wait_for(client, HOURS[1], HOURS[2])
    assert client.closed
    assert not (tmp_path / "ahead").exists()
