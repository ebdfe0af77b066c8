"""Where a run's lines are: in segments while it runs, in one compressed object with an index once it has ended."""

from __future__ import annotations

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, Protocol

from pageviews_core import keys
from pageviews_core.object_store.base import ObjectNotFound
from pageviews_core.run_log_join import LogIndex, index_key, joined_key, segments_prefix
from status_api.view import View

_PIECE = 1 << 20
_SEGMENTS_KEPT = 4_096
"""Line counts, a few bytes each: segments never change."""


class Lines(Protocol):
    """Of one run. Lines are numbered from 1."""

    @property
    def total(self) -> int: ...
    @property
    def levels(self) -> dict[str, int]:
        """How many there are of each level; empty where that is not known."""
        ...

    @property
    def gap(self) -> str | None:
        """Why lines are missing, where that shows."""
        ...

    def from_line(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Lines without their line feed; at most a few MB are held at a time."""
        ...

    def raw(self) -> Iterator[bytes]:
        """All of it, in pieces of no certain size."""
        ...


def open_lines(view: View, run_id: str) -> Lines:
    """Of a run without a log there are none. Raises UnknownSchemaVersion, and what the store does."""
    prefix = keys.run(run_id)
    found = view.journal.read(index_key(prefix), LogIndex)
    if found is not None:
        return JoinedLines(view, prefix, found[0])
    segments = [info.key for info in view.store.list(segments_prefix(prefix))]
    return SegmentLines(view, segments)


@dataclass
class JoinedLines:
    view: View
    prefix: str
    index: LogIndex
    gap: str | None = None

    @property
    def total(self) -> int:
        return self.index.lines

    @property
    def levels(self) -> dict[str, int]:
        return dict(self.index.levels)

    def from_line(self, number: int) -> Iterator[tuple[int, bytes]]:
        if number > self.index.lines or not self.index.members:
            return
        at = max(0, bisect_right([member.line for member in self.index.members], number - 1) - 1)
        member = self.index.members[at]
        with self._open(member.compressed_offset) as stream, gzip.open(stream) as lines:
            for found, line in enumerate(lines, member.line + 1):
                if found >= number:
                    yield found, line.rstrip(b"\n")

    def raw(self) -> Iterator[bytes]:
        with self._open(0) as stream, gzip.open(stream) as content:
            while piece := content.read(_PIECE):
                yield piece

    def _open(self, offset: int) -> BinaryIO:
        return self.view.store.open(joined_key(self.prefix), offset=offset)


class SegmentLines:
    def __init__(self, view: View, segments: list[str]) -> None:
        self._view = view
        self._segments = segments
        self._ends = list(accumulate(self._count(key) for key in segments))
        self.levels: dict[str, int] = {}
        numbers = [int(key.rsplit("/", 1)[1].partition(".")[0]) for key in segments]
        missing = set(range(1, max(numbers, default=0) + 1)) - set(numbers)
        self.gap = f"{len(missing)} pieces of the log are missing" if missing else None

    @property
    def total(self) -> int:
        return self._ends[-1] if self._ends else 0

    def from_line(self, number: int) -> Iterator[tuple[int, bytes]]:
        first = bisect_right(self._ends, number - 1)
        for at in range(first, len(self._segments)):
            before = self._ends[at - 1] if at else 0
            for found, line in enumerate(self._body(self._segments[at]).splitlines_kept(), before + 1):
                if found >= number:
                    yield found, line

    def raw(self) -> Iterator[bytes]:
        for key in self._segments:
            data = self._body(key).data
            yield data if data.endswith(b"\n") or not data else data + b"\n"

    def _count(self, key: str) -> int:
        return self._view.extracts.get(
            "log_segment", key, lambda: len(self._body(key).splitlines_kept()), at_most=_SEGMENTS_KEPT
        )

    def _body(self, key: str) -> _Segment:
        try:
            return _Segment(self._view.store.get(key)[0])
        except ObjectNotFound:  # joined meanwhile
            return _Segment(b"")


@dataclass(frozen=True, slots=True)
class _Segment:
    data: bytes

    def splitlines_kept(self) -> list[bytes]:
        """By line feeds alone: a line may hold any other character."""
        lines = self.data.split(b"\n")
        return lines if lines[-1] else lines[:-1]


BROKEN = (OSError, EOFError, zlib.error)
"""What reading a damaged compressed log raises."""
