"""The order of a tick's work: the newest owed hour, then what people asked for, then the oldest gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from ingestor.planning import Picture
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.records.request import Request
from pageviews_core.requests import Requests


@dataclass(frozen=True, slots=True)
class Unit:
    """One hour to be taken in. `force`: even where it is loaded."""

    hour: Hour
    request: Request | None = None
    force: bool = False


def next_units(picture: Picture, asked: Iterable[Unit], tried: set[Hour], *, suspended: bool, most: int) -> list[Unit]:
    """At most so many, the next one first; empty where nothing is left to try in this tick."""
    due = [] if suspended else [planned.hour for planned in picture.owed() if planned.due]
    newest = picture.expected_until() + -1
    first = [Unit(newest)] if due and due[0] == newest else []
    found: dict[Hour, Unit] = {}
    for unit in chain(first, asked, map(Unit, due)):
        if len(found) >= most:
            break
        if unit.hour not in tried:
            found.setdefault(unit.hour, unit)
    return list(found.values())


def units_asked_for(
    requests: Requests, failures: Failures, open_requests: Iterable[Request], picture: Picture
) -> Iterator[Unit]:
    """The hours of open requests that wait for the ingestor; one that failed since it was asked for does not."""
    for request in open_requests:
        if request.kind != "backfill":
            continue
        done = requests.hours_dealt_with(request, "ingestor") if request.force else {}
        for hour in request.hours:
            if request.force:
                if hour not in done:
                    yield Unit(hour, request, force=True)
            elif _wanting(hour, picture) and not _tried_since(failures, hour, request, picture):
                yield Unit(hour, request)


def _wanting(hour: Hour, picture: Picture) -> bool:
    if hour >= picture.expected_until() or hour in picture.ingested:
        return False
    return hour >= picture.settled or hour in picture.failures or hour < picture.start


def _tried_since(failures: Failures, hour: Hour, request: Request, picture: Picture) -> bool:
    key = picture.failures.get(hour)
    failure = failures.read(key) if key else None
    return failure is not None and failure.at > request.created_at
