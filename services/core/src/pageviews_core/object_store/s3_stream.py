"""An object's content as a stream that goes on where a connection broke."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import structlog
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, FlexibleChecksumError

from pageviews_core.errors import StoreUnavailable

BROKEN = (BotoCoreError, urllib3.exceptions.HTTPError, OSError)
_REOPENED_AT_MOST = 5

log = structlog.get_logger()


class ObjectStream(io.RawIOBase):
    """`reopen(offset)` gives the body from there, of the same object: it raises where that was overwritten."""

    def __init__(self, name: str, body: Any, offset: int, reopen: Callable[[int], Any]) -> None:
        super().__init__()
        self._name = name
        self._body = body
        self._at = offset
        self._reopen = reopen
        self._reopened = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises StoreUnavailable where the connection broke once too often, or a checksum is wrong."""
        while True:
            try:
                found = self._body.read(len(buffer))
            except FlexibleChecksumError as exc:
                # What was handed out already is wrong somewhere: to go on from here would hide it.
                raise StoreUnavailable(f"{self._name}: its content is not what its checksum says: {exc}") from exc
            except BROKEN as exc:
                if self._reopened == _REOPENED_AT_MOST:
                    raise StoreUnavailable(
                        f"{self._name}: broke off at byte {self._at}, for the last of {self._reopened + 1} times: {exc}"
                    ) from exc
                self._reopened += 1
                log.warning("download_reopened", key=self._name, offset=self._at, error=str(exc))
                self._body.close()
                self._body = self._reopen(self._at)
                continue
            self._at += len(found)
            buffer[: len(found)] = found
            return len(found)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()
