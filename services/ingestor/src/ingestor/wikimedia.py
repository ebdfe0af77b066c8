"""Wikimedia's dumps server, or a mirror of it.

Only here is it known that a file's name, and its folder, carry the END of the hour: `pageviews-20261121-000000.gz` in
`2026/2026-11/` holds 2026-11-20 23:00 to 24:00 UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ingestor.answers import checked, is_missing
from ingestor.retry import Retries, TryAgain
from ingestor.transfer import CutShort, DownloadCorrupt, Transfer
from pageviews_core.clock import Clock
from pageviews_core.errors import SourceCorrupt, SourceUnavailable
from pageviews_core.hour import Hour

__all__ = ["DownloadCorrupt", "Downloaded", "DumpsClient", "NotModified", "NotPublished"]

MOST_CONNECTIONS = 3
"""Wikimedia blocks who opens more at a time."""
_MOST_REDIRECTS = 3
_ATTEMPTS = 5
_LONGEST_WAIT = 120.0
_TIMEOUT = httpx.Timeout(10, read=20, pool=None)
"""Seconds. Waiting for one of the few connections is no failure, so that has none."""
_LARGEST_CONTROL_FILE = 16 * 1024 * 1024
"""Bytes; the real one has 21 kB."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    path: Path
    """The file as served, still compressed."""
    url: str
    """Where it came from in the end, after redirects."""
    etag: str | None
    last_modified: str | None
    bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class NotModified:
    """The source still has what it had under the given ETag or date."""


@dataclass(frozen=True, slots=True)
class NotPublished:
    """The source has no file for the hour: not yet, or no longer."""


class DumpsClient:
    """Asks for the files of an hour. May be used by several threads, which share the few connections.

    Every method raises SourceUnavailable when the source did not answer in several attempts or asks to be left alone,
    ConfigurationError when it refuses this client, and Stopped.
    """

    def __init__(
        self,
        base_url: str,
        contact: str,
        *,
        connections: int,
        clock: Clock,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`contact` is an e-mail address or a web address, in ASCII: Wikimedia refuses clients without one."""
        url = httpx.URL(base_url)
        # Kept apart, so that a mirror's password stands in no message and no marker.
        self.base_url = str(url.copy_with(username=None, password=None)).rstrip("/")
        self._clock = clock
        self._should_stop = should_stop
        self._retries = Retries(clock, should_stop, attempts=_ATTEMPTS, longest_wait=_LONGEST_WAIT)
        self._http = httpx.Client(
            auth=(url.username, url.password) if url.userinfo else None,
            follow_redirects=True,
            headers={
                "User-Agent": f"wikipedia-pageviews/{version('pageviews-ingestor')} ({contact})",
                "Accept-Encoding": "identity",
            },
            limits=httpx.Limits(max_connections=max(1, min(connections, MOST_CONNECTIONS))),
            max_redirects=_MOST_REDIRECTS,
            timeout=_TIMEOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def pageviews_url(self, hour: Hour) -> str:
        return self._url(f"pageviews-{hour.ended_at:%Y%m%d-%H}0000.gz", hour)

    def projectviews_url(self, hour: Hour) -> str:
        return self._url(f"projectviews-{hour.ended_at:%Y%m%d-%H}0000", hour)

    def fetch_pageviews(
        self, hour: Hour, to: Path, *, etag: str | None = None, last_modified: str | None = None
    ) -> Downloaded | NotModified | NotPublished:
        """Downloads the hour's file to `to`, unless the source still has the one of the given ETag or date.

        Raises DownloadCorrupt for what cannot be the hour's file; what was served then stays on disk, beside `to`.
        """
        url = self.pageviews_url(hour)
        transfer = Transfer(url, to.with_name(f"{to.name}.part"), self._clock, self._should_stop)
        conditions = _conditions(etag, last_modified)
        try:
            answer = self._retries.call(lambda: self._continue(transfer, url, conditions))
        except SourceUnavailable as exc:
            if isinstance(exc.__cause__, CutShort):
                raise DownloadCorrupt(str(exc), file=transfer.path) from exc
            raise
        if isinstance(answer, str):
            transfer.path.rename(to)
            return Downloaded(to, answer, transfer.etag, transfer.last_modified, transfer.received, transfer.sha256)
        return answer

    def fetch_projectviews(self, hour: Hour) -> bytes | None:
        """The hour's control file, as it is; None where there is none."""
        try:
            return self._retries.call(lambda: self._read(self.projectviews_url(hour)))
        except SourceCorrupt as exc:  # the hour itself is none the worse
            raise SourceUnavailable(str(exc)) from exc

    def is_published(self, hour: Hour) -> bool:
        """Whether the source has the hour's file."""
        return self._retries.call(lambda: self._look(self.pageviews_url(hour), {})) is not None

    def unchanged(self, hour: Hour, *, etag: str | None, last_modified: str | None) -> bool:
        """Whether the source has nothing else for the hour than what it had under this ETag and date.

        A file that is gone changes nothing; without an ETag and a date, the answer is no.
        """
        url, conditions = self.pageviews_url(hour), _conditions(etag, last_modified)
        headers = self._retries.call(lambda: self._look(url, conditions))
        if not headers:
            return True
        if etag and "ETag" in headers:
            return headers["ETag"] == etag
        return last_modified is not None and headers.get("Last-Modified") == last_modified

    def newest_published(self, now: datetime, *, look_back: int = 24) -> Hour | None:
        """The newest hour that the source has a file for, among the `look_back` hours that ended last before `now`."""
        newest = Hour.newest_ended(now)
        return next((newest + -back for back in range(look_back) if self.is_published(newest + -back)), None)

    def check(self) -> None:
        """Asks for the newest file, and is content with any answer that shows that the source serves this client."""
        self.is_published(Hour.newest_ended(self._clock.now()))

    def _url(self, name: str, hour: Hour) -> str:
        return f"{self.base_url}/{hour.ended_at:%Y/%Y-%m}/{name}"

    def _continue(
        self, transfer: Transfer, url: str, conditions: Mapping[str, str]
    ) -> str | NotModified | NotPublished:
        """One request for what is still missing; the address it came from once everything is there."""
        resuming = transfer.headers()
        with self._request("GET", url, resuming or conditions) as response:
            if is_missing(response):
                return NotPublished()
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return NotModified()
            transfer.receive(response)
            return str(response.url.copy_with(username=None, password=None))

    def _look(self, url: str, conditions: Mapping[str, str]) -> httpx.Headers | None:
        """The file's headers; None if there is no file, none at all if it is unchanged."""
        with self._request("HEAD", url, conditions) as response:
            if is_missing(response):
                return None
            return httpx.Headers() if response.status_code == httpx.codes.NOT_MODIFIED else response.headers

    def _read(self, url: str) -> bytes | None:
        with self._request("GET", url, {}) as response:
            if is_missing(response):
                return None
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_CONTROL_FILE:
                    raise SourceCorrupt(f"{url} is larger than {_LARGEST_CONTROL_FILE} bytes")
            return content

    @contextmanager
    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """An answer worth reading, as `answers.checked` has it."""
        try:
            with self._http.stream(method, url, headers=dict(headers)) as response:
                yield checked(response, url, self._clock.now())
        except httpx.UnsupportedProtocol as exc:
            raise DownloadCorrupt(f"{url} was redirected away from http: {exc}") from exc
        except httpx.TooManyRedirects as exc:
            raise SourceUnavailable(f"{url} is redirected more than {_MOST_REDIRECTS} times") from exc
        except (httpx.TransportError, httpx.DecodingError) as exc:
            raise TryAgain(f"{url} cannot be read: {exc or type(exc).__name__}") from exc


def _conditions(etag: str | None, last_modified: str | None) -> dict[str, str]:
    conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in conditions.items() if value}
