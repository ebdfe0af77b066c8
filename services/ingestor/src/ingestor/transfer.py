"""One file on its way to disk, over as many responses as it takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import httpx

from ingestor.retry import TryAgain
from pageviews_core.clock import Clock
from pageviews_core.decoding.gunzip import MAGIC
from pageviews_core.decoding.scratch import writing
from pageviews_core.errors import SourceCorrupt, SourceUnavailable, Stopped

_WINDOW = 60.0
_LEAST_IN_WINDOW = 60 * 1000
"""Bytes in so many seconds: 1 kB/s. The source gives 2 to 3 MB/s."""
_QUOTED = 80
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadCorrupt(SourceCorrupt):
    """What was served is not the file; `file` is what there is of it on disk, if anything."""

    def __init__(self, message: str, *, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


class CutShort(TryAgain):
    """The server ended the response before the file was complete."""


class Transfer:
    """Appends bodies to `path`, and goes on where one was cut as long as the server still has the same file."""

    def __init__(self, url: str, path: Path, clock: Clock, should_stop: Callable[[], bool]) -> None:
        self.path = path
        self.received = 0
        self.expected: int | None = None
        """The file's length, where the server said it."""
        self.etag: str | None = None
        self.last_modified: str | None = None
        self._url = url
        self._clock = clock
        self._should_stop = should_stop
        self._head = b""
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def headers(self) -> dict[str, str]:
        """Asks for the rest, if there is a part, and the whole file should it have changed."""
        strong_etag = self.etag if self.etag and not self.etag.startswith("W/") else None
        validator = strong_etag or self.last_modified
        if not self.received or not validator:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": validator}

    def start_over(self) -> None:
        """Forgets what was received: the next request is for the whole file."""
        self.received = 0
        self.expected = None
        self._head = b""
        self._digest = hashlib.sha256()

    def receive(self, response: httpx.Response) -> None:
        """Takes a 200 to its end, or a 206, or notes that a 416 knows of no rest.

        Raises TryAgain for a body that was cut, DownloadCorrupt for one that is not gzip, SourceUnavailable for one
        that comes too slowly, and Stopped.
        """
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            cut = self._cut("and there is no more")
            self.start_over()
            raise CutShort(cut)
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            self._check_continues(response)
        else:
            self.start_over()
            self.etag = response.headers.get("ETag")
            self.last_modified = response.headers.get("Last-Modified")
            length = response.headers.get("Content-Length", "")
            self.expected = int(length) if length.isdecimal() else None
        try:
            self._append(response)
        except httpx.RemoteProtocolError as exc:
            raise CutShort(self._cut("by the server")) from exc
        except httpx.TransportError as exc:
            raise TryAgain(self._cut(str(exc) or type(exc).__name__)) from exc
        if not self.received:
            raise DownloadCorrupt(f"{self._url} is an empty file", file=self.path)
        if self.expected is not None and self.received != self.expected:
            raise CutShort(self._cut("by the server"))

    def _append(self, response: httpx.Response) -> None:
        started, before = self._clock.monotonic(), self.received
        with writing(self.path), self.path.open("r+b" if self.received else "wb") as file:
            file.truncate(self.received)
            file.seek(self.received)
            # As served: a mirror that labels the file "Content-Encoding: gzip" must not have it unpacked on the way.
            # And as it comes: collecting larger chunks first would hide a source that has nearly come to a stand.
            for chunk in response.iter_raw():
                file.write(chunk)
                self._digest.update(chunk)
                self.received += len(chunk)
                if self.received - len(chunk) < len(MAGIC):
                    file.flush()
                    self._check_head(chunk, response)
                if self._should_stop():
                    raise Stopped(f"asked to stop after {self.received} bytes of {self._url}")
                seconds = self._clock.monotonic() - started
                if seconds >= _WINDOW:
                    if self.received - before < _LEAST_IN_WINDOW:
                        raise SourceUnavailable(
                            f"{self._url} comes too slowly: {self.received - before} bytes in {seconds:.0f} s"
                        )
                    started, before = started + seconds, self.received

    def _check_head(self, chunk: bytes, response: httpx.Response) -> None:
        self._head += chunk[:_QUOTED]
        if not self._head.startswith(MAGIC[: len(self._head)]):
            kind = response.headers.get("Content-Type", "no content type")
            raise DownloadCorrupt(
                f"{self._url} answered with something that is not gzip ({kind}): {self._head!r}", file=self.path
            )

    def _check_continues(self, response: httpx.Response) -> None:
        """A part that does not join on to what is here is of no use: the next attempt starts over."""
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        same_length = match and (self.expected is None or match[2] in ("*", str(self.expected)))
        same_etag = response.headers.get("ETag", self.etag) == self.etag
        if not (match and int(match[1]) == self.received and same_length and same_etag):
            self.start_over()
            raise TryAgain(f"{self._url} went on with another part than was asked for")

    def _cut(self, how: str) -> str:
        of = f" of {self.expected}" if self.expected is not None else ""
        return f"{self._url} broke off after {self.received}{of} bytes: {how}"
