"""Rejected lines as they are kept: JSON lines of byte offset, base64 of the line, and reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from pageviews_core.decoding.dialect import Reason


class Rejected(NamedTuple):
    offset: int
    """Of the line's first byte in the decompressed file."""
    line: bytes
    """Without its line feed."""
    reason: Reason


def encode_reject(rejected: Rejected) -> bytes:
    """One line of a quarantine file, with its line feed."""
    record = {
        "offset": rejected.offset,
        "line_base64": base64.b64encode(rejected.line).decode(),
        "reason": rejected.reason.value,
    }
    return json.dumps(record).encode() + b"\n"


def read_quarantine(source: Path | IO[bytes]) -> Iterator[Rejected]:
    """The rejected lines of a quarantine file, by offset. Raises ValueError for what `encode_reject` did not write."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from read_quarantine(file)
        return
    for text in source:
        record = json.loads(text)
        yield Rejected(
            int(record["offset"]), base64.b64decode(record["line_base64"], validate=True), Reason(record["reason"])
        )
