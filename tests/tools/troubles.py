"""What can go wrong with one hour on the dumps server, as objects that a test may change while the server runs.

A trouble may say that the hour is `withheld`, choose its `version`, change what is `published`, or spoil the `reply`
to a request for the pageviews file; where it does not, all is well. Those that count GETs heal by themselves; the
others last until `DumpsServer.heal`.

```text
not there        Missing  Late
other content    TruncatedAtFirst  Restated  WithBadLines  HtmlPage  EmptyFile  WrongCrc  TrailingGarbage
on the wire      WrongLength  Slow  CutConnection  Refusing  RedirectedTo
```
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

from pageviews_core.hour import Hour
from tests.tools.bad_lines import BAD_LINES, BadLine, loadable_of, mix_in, rejected_of, views_of
from tests.tools.dumps_layout import pageviews_path
from tests.tools.published_hours import PublishedFile, PublishedHour
from tests.tools.replies import Reply, refusal

_HTML = b"<!DOCTYPE html><html><head><title>Wikimedia Error</title></head><body>Our servers are busy.</body></html>\n"
_CRC_FROM_END = 8  # a gzip member ends in the CRC and the length, four bytes each


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trouble may go by: the server's time, and how often this hour's pageviews were asked for so far.

    `gets` counts GETs and `asks` GETs and HEADs, the present request included if it is one of them; `head` says that it
    is a HEAD.
    """

    now: datetime
    gets: int
    asks: int
    head: bool = False


class Trouble:
    """No trouble: the hour is served as it is. Subclasses override what they disturb."""

    def version(self, asked: Asked) -> int:
        """Which version of the hour the source is to publish, 1 the first."""
        return 1

    def withheld(self, asked: Asked) -> bool:
        """Whether the hour is not on the server: 404 for both its files, and not in the index."""
        return False

    def published(self, hour: PublishedHour, asked: Asked) -> PublishedHour:
        """What lies on the server, unless it is withheld."""
        return hour

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        """The answer to a request for the pageviews file that exists."""
        return reply


@dataclass
class Missing(Trouble):
    """Never published."""

    def withheld(self, asked: Asked) -> bool:
        return True


@dataclass
class Late(Trouble):
    """Not there before the server's time `until`, nor for the first `asks` requests for it; `publish()` ends both."""

    until: datetime | None = None
    asks: int | None = None

    def publish(self) -> None:
        self.until = self.asks = None

    def withheld(self, asked: Asked) -> bool:
        before_its_time = self.until is not None and asked.now < self.until
        return before_its_time or (self.asks is not None and asked.asks <= self.asks)


@dataclass
class Restated(Trouble):
    """Published again with other counts, from `restate()` on or after so many GETs of the first version.

    A HEAD sees the new version as soon as the next GET would.
    """

    after_gets: int | None = None
    restated: bool = False

    def restate(self) -> None:
        self.restated = True

    def version(self, asked: Asked) -> int:
        due = self.after_gets is not None and asked.gets + asked.head > self.after_gets
        return 2 if self.restated or due else 1


class _OtherPageviews(Trouble, ABC):
    @abstractmethod
    def changed(self, file: PublishedFile) -> PublishedFile: ...

    def published(self, hour: PublishedHour, asked: Asked) -> PublishedHour:
        return replace(hour, pageviews=self.changed(hour.pageviews))


@dataclass
class TruncatedAtFirst(_OtherPageviews):
    """Caught half written: in the first `gets` GETs only `share` of the file, and a Content-Length that agrees."""

    gets: int = 1
    share: float = 0.6

    def published(self, hour: PublishedHour, asked: Asked) -> PublishedHour:
        return super().published(hour, asked) if asked.gets <= self.gets else hour

    def changed(self, file: PublishedFile) -> PublishedFile:
        return file.with_content(file.content[: int(len(file.content) * self.share)])


@dataclass
class WithBadLines(_OtherPageviews):
    """Holds `bad_lines` besides its own: so many more lines, of which `rejected` cannot be loaded."""

    bad_lines: tuple[BadLine, ...] = field(default=BAD_LINES, repr=False)

    @property
    def rejected(self) -> int:
        return rejected_of(self.bad_lines)

    @property
    def loadable(self) -> int:
        return loadable_of(self.bad_lines)

    @property
    def views(self) -> int:
        """Views of the loadable ones. The control file does not know them, so control totals differ by as many."""
        return views_of(self.bad_lines)

    def changed(self, file: PublishedFile) -> PublishedFile:
        return file.with_content(mix_in(file.content, self.bad_lines).pageviews_gz)


@dataclass
class HtmlPage(_OtherPageviews):
    """An error page with status 200."""

    def changed(self, file: PublishedFile) -> PublishedFile:
        return replace(file, content=_HTML, content_type="text/html; charset=utf-8")


@dataclass
class EmptyFile(_OtherPageviews):
    """No byte at all."""

    def changed(self, file: PublishedFile) -> PublishedFile:
        return file.with_content(b"")


@dataclass
class WrongCrc(_OtherPageviews):
    """Whole, but its checksum is of something else."""

    def changed(self, file: PublishedFile) -> PublishedFile:
        content = bytearray(file.content)
        content[-_CRC_FROM_END] ^= 0xFF
        return file.with_content(bytes(content))


@dataclass
class TrailingGarbage(_OtherPageviews):
    """Something that is no gzip follows the last member."""

    garbage: bytes = b"\nUpstream timed out.\n"

    def changed(self, file: PublishedFile) -> PublishedFile:
        return file.with_content(file.content + self.garbage)


@dataclass
class WrongLength(Trouble):
    """Content-Length is `by` more (or, below zero, less) than what is sent."""

    by: int = 100

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        return replace(reply, content_length=max(0, len(reply.body) + self.by))


@dataclass
class Slow(Trouble):
    """Sent at this pace."""

    bytes_per_second: int = 200

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        return replace(reply, bytes_per_second=self.bytes_per_second)


@dataclass
class CutConnection(Trouble):
    """In the first `gets` GETs the connection ends after `share` of what was to be sent."""

    gets: int = 1
    share: float = 0.5

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        return replace(reply, cut_after=int(len(reply.body) * self.share)) if asked.gets <= self.gets else reply


@dataclass
class Refusing(Trouble):
    """The first `gets` GETs get 429 or 503; `retry_after` is the header as sent: seconds, or an HTTP date."""

    status: int = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after: str | None = "1"
    gets: int = 1

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        if asked.gets > self.gets:
            return reply
        waiting = {"Retry_After": self.retry_after} if self.retry_after else {}
        return refusal(self.status, "Too many requests, come back later.", **waiting)


@dataclass
class RedirectedTo(Trouble):
    """Answered with a redirect to another hour's file, below the server's base path."""

    other: Hour

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        name = pageviews_path(self.other)
        return refusal(HTTPStatus.FOUND, "Moved.", Location=f"../../{name}")
