"""What an answer of the dumps server means, by its status and its final address."""

from __future__ import annotations

from datetime import datetime

import httpx

from ingestor.retry import TryAgain, retry_after
from ingestor.transfer import DownloadCorrupt
from pageviews_core.errors import ConfigurationError, SourceUnavailable

_MISSING = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})
_USABLE = frozenset({
    httpx.codes.OK,
    httpx.codes.PARTIAL_CONTENT,
    httpx.codes.NOT_MODIFIED,
    httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE,
})  # fmt: skip
_MAY_PASS = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


def is_missing(response: httpx.Response) -> bool:
    """There is no such file."""
    return response.status_code in _MISSING


def checked(response: httpx.Response, url: str, now: datetime) -> httpx.Response:
    """The response, if it is about the file that was asked for: a body, "unchanged", or "no such file".

    Raises TryAgain for what may pass soon, ConfigurationError for a refusal, SourceUnavailable for any other status,
    and DownloadCorrupt where a redirect led to another file.
    """
    status = response.status_code
    if is_missing(response):
        return response
    answered = f"{response.request.method} {url} was answered with {status} {response.reason_phrase}"
    if status in _MAY_PASS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise TryAgain(answered, after=retry_after(response.headers.get("Retry-After"), now))
    if status in (httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED):
        said = next(response.iter_bytes(), b"nothing")[:300].decode(errors="replace")
        raise ConfigurationError(
            f"{answered}. Wikimedia refuses clients that do not name a contact, and blocks those that ask too much: "
            "set PAGEVIEWS_CONTACT to an address that reaches you, or PAGEVIEWS_SOURCE_URL to a mirror. "
            f"The server said: {said!r}"
        )
    if status not in _USABLE:
        raise SourceUnavailable(f"{answered}; see whether PAGEVIEWS_SOURCE_URL is right")
    if _file_name(response.url) != _file_name(httpx.URL(url)):
        raise DownloadCorrupt(f"{url} was redirected to another file: {response.url}")
    return response


def _file_name(url: httpx.URL) -> str:
    return url.path.rpartition("/")[2]
