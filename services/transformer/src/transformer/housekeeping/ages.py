"""How old things are: by what their keys say, never by when a store last touched them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import groupby

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectInfo

_HOUR_PATH = len("2026/11/20/09")
_DAY_PATH = len("2026/11/20")


def made_at(ulid: str) -> datetime | None:
    """When the ULID was made, UTC; None for any other text."""
    try:
        return keys.time_of(ulid)
    except (ValueError, OverflowError):
        return None


def by_hour(infos: Iterable[ObjectInfo], prefix: str) -> Iterator[tuple[Hour, list[ObjectInfo]]]:
    """The objects of a sorted listing, hour by hour; those whose key goes on with no hour are left out."""
    for hour, group in groupby(infos, lambda info: _hour(info.key, prefix)):
        if hour is not None:
            yield hour, list(group)


def by_day(infos: Iterable[ObjectInfo], prefix: str) -> Iterator[tuple[date, list[ObjectInfo]]]:
    """The same by UTC day."""
    for day, group in groupby(infos, lambda info: day_in(info.key, prefix)):
        if day is not None:
            yield day, list(group)


def _hour(key: str, prefix: str) -> Hour | None:
    try:
        return Hour.from_path(key[len(prefix) : len(prefix) + _HOUR_PATH])
    except ValueError:
        return None


def day_in(key: str, prefix: str) -> date | None:
    """The UTC day that a key goes on with after its prefix; None where there is none."""
    try:
        at = Hour.from_path(key[len(prefix) : len(prefix) + _DAY_PATH] + "/00")
    except ValueError:
        return None
    return at.started_at.date()
