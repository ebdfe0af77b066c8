"""The lines that are not loaded, found again one by one: the engine only counts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge
from itertools import chain

from pageviews_core.decoding.dialect import Reject, decode_line
from pageviews_core.decoding.quarantine import Rejected
from pageviews_core.decoding.unpack import Line, Unpacked, odd_lines

_BLOCK = 1024 * 1024
_PLAINLY_RIGHT = re.compile(rb"(?!\xef\xbb\xbf)[^ ]* .* (?:0|[1-9][0-9]{0,17}) 0").fullmatch
"""Spares nearly every line the full decoding."""


def rejected_lines(unpacked: Unpacked, *, clean: bool) -> Iterator[Rejected]:
    """By offset. `clean`: search the clean lines too; without, only those set apart."""
    lines = odd_lines(unpacked)
    for line in merge(lines, _suspects(unpacked)) if clean else lines:
        decoded = decode_line(line.content)
        if isinstance(decoded, Reject):
            yield Rejected(line.offset, line.content, decoded.reason)


def _suspects(unpacked: Unpacked) -> Iterator[Line]:
    """The clean lines that are worth a closer look, at their offsets in the decompressed file."""
    apart = _gaps(unpacked)
    gap_at, gap = next(apart)
    position = shift = 0
    with unpacked.text.open("rb") as file:
        while lines := file.readlines(_BLOCK):
            # All that is known of most blocks after this line is that they hold nothing of interest.
            suspects = [index for index, line in enumerate(lines) if not _PLAINLY_RIGHT(line[:-1])]
            ends = 0
            for index in suspects:
                position += sum(map(len, lines[ends:index]))
                ends = index
                while position + shift >= gap_at:
                    shift += gap
                    gap_at, gap = next(apart)
                yield Line(position + shift, lines[index][:-1])
            position += sum(map(len, lines[ends:]))


def _gaps(unpacked: Unpacked) -> Iterator[tuple[float, int]]:
    """Where lines were set apart, and how many bytes of the decompressed file each took; then one that never comes."""
    gaps = ((line.offset, len(line.content) + 1) for line in odd_lines(unpacked))
    return chain(gaps, [(float("inf"), 0)])
