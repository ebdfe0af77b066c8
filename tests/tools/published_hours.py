"""What the dumps server publishes for an hour: files derived from the excerpt, or real files from a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from pageviews_core.hour import Hour
from tests.tools.derived_hours import derive_hour

_USUAL_DELAY = timedelta(minutes=42)
_RESTATED_AFTER = timedelta(hours=3)


@dataclass(frozen=True)
class PublishedFile:
    """A file as it lies on the server. The ETag is strong: it follows from the content alone."""

    content: bytes
    modified_at: datetime
    content_type: str

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'

    def with_content(self, content: bytes) -> PublishedFile:
        return replace(self, content=content)


@dataclass(frozen=True)
class PublishedHour:
    """An hour's two files; `projectviews` is None where the source has no control totals for it."""

    pageviews: PublishedFile
    projectviews: PublishedFile | None


class HourSource(Protocol):
    def published(self, hour: Hour, version: int) -> PublishedHour:
        """The hour's files as they were first published (version 1) or restated (2 and above)."""
        ...


class DerivedHours:
    """Any hour, made from the excerpt when first asked for; the newest few dozen asked for are kept in memory."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._published = lru_cache(maxsize=48)(self._derive)

    def published(self, hour: Hour, version: int) -> PublishedHour:
        return self._published(hour, version)

    def _derive(self, hour: Hour, version: int) -> PublishedHour:
        derived = derive_hour(hour, self._scale, version)
        return _published(hour, version, derived.pageviews_gz, derived.projectviews)


class RealFiles:
    """Hours served from files on disk, byte for byte; every other hour comes from `others`.

    `pageviews` and `projectviews` map an hour to its file, whatever that file's own name. Real files have one version.
    """

    def __init__(
        self, pageviews: Mapping[Hour, Path], projectviews: Mapping[Hour, Path] | None = None, *, others: HourSource
    ) -> None:
        self._pageviews = pageviews
        self._projectviews = projectviews or {}
        self._others = others
        self._read = lru_cache(maxsize=2)(self._read_files)

    def published(self, hour: Hour, version: int) -> PublishedHour:
        return self._read(hour) if hour in self._pageviews else self._others.published(hour, version)

    def _read_files(self, hour: Hour) -> PublishedHour:
        control = self._projectviews.get(hour)
        return _published(hour, 1, self._pageviews[hour].read_bytes(), control.read_bytes() if control else None)


def _published(hour: Hour, version: int, pageviews: bytes, projectviews: bytes | None) -> PublishedHour:
    at = hour.ended_at + _USUAL_DELAY + (version - 1) * _RESTATED_AFTER
    return PublishedHour(
        PublishedFile(pageviews, at, "application/gzip"),
        PublishedFile(projectviews, at, "application/octet-stream") if projectviews is not None else None,
    )
