"""The hour: the unit of everything here, named by its START in UTC (`2026-11-20T09`).

Wikimedia's file names carry the END of the hour; only the ingestor's dumps client knows that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_TEXT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2})")
_PATH = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})")
_LENGTH = timedelta(hours=1)


@dataclass(frozen=True, order=True, slots=True)
class Hour:
    """One UTC hour. `started_at` is inclusive, `ended_at` exclusive; both are aware datetimes in UTC."""

    started_at: datetime

    def __post_init__(self) -> None:
        at = self.started_at
        if at.utcoffset() != timedelta(0) or (at.minute, at.second, at.microsecond) != (0, 0, 0):
            raise ValueError(f"not the start of a UTC hour: {at.isoformat()}")

    @classmethod
    def parse(cls, text: str) -> Hour:
        """The hour named `YYYY-MM-DDTHH`. Raises ValueError for any other text."""
        return cls._matched(_TEXT, text, "an hour is written YYYY-MM-DDTHH, in UTC, by its start")

    @classmethod
    def from_path(cls, path: str) -> Hour:
        """The hour of a key's part `YYYY/MM/DD/HH`. Raises ValueError for any other text."""
        return cls._matched(_PATH, path, "an hour's path is YYYY/MM/DD/HH")

    @classmethod
    def _matched(cls, pattern: re.Pattern[str], text: str, rule: str) -> Hour:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"{rule}; got {text!r}")
        year, month, day, hour = map(int, match.groups())
        return cls(datetime(year, month, day, hour, tzinfo=UTC))

    @classmethod
    def containing(cls, at: datetime) -> Hour:
        """The hour that holds the aware datetime `at`."""
        return cls(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0))

    @classmethod
    def newest_ended(cls, now: datetime) -> Hour:
        """The newest hour that is over at `now`."""
        return cls.containing(now) + -1

    @property
    def ended_at(self) -> datetime:
        return self.started_at + _LENGTH

    @property
    def path(self) -> str:
        """`YYYY/MM/DD/HH`, as keys spell it: sorts as the hours do."""
        return str(self).replace("-", "/").replace("T", "/")

    def __add__(self, hours: int) -> Hour:
        return Hour(self.started_at + hours * _LENGTH)

    def __sub__(self, other: Hour) -> int:
        return round((self.started_at - other.started_at) / _LENGTH)

    def __str__(self) -> str:
        return self.started_at.isoformat()[:13]  # strftime's %Y does not pad on every system

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validated,
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def _validated(cls, value: Any) -> Hour:
        if isinstance(value, cls):
            return value
        return cls.parse(value if isinstance(value, str) else repr(value))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_TEXT.pattern}$", "description": "a UTC hour, by its start"}


def hour_range(start: Hour, end: Hour) -> Iterator[Hour]:
    """The hours from `start` up to, not including, `end`, oldest first."""
    for offset in range(max(0, end - start)):
        yield start + offset
