"""The site behind the dumps server: which paths there are, and what each request is answered. No sockets here."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

from pageviews_core.clock import Clock
from pageviews_core.hour import Hour
from tests.tools.dumps_layout import hour_of_pageviews, pageviews_path, projectviews_path
from tests.tools.published_hours import HourSource
from tests.tools.replies import Reply, refusal, reply_with_file
from tests.tools.troubles import Asked, Trouble

BASE_PATH = "/other/pageviews"

# What HTTP libraries and tools send when nobody told them who they are; Wikimedia refuses it.
_LIBRARY_DEFAULT = re.compile(
    r"|(aiohttp|axios|curl|go-http-client|java|libwww-perl|node-fetch|okhttp|pycurl|python-(httpx|requests|urllib3?)|wget)\b.*",
    re.IGNORECASE,
)


@dataclass
class _Asks:
    gets: int = 0
    heads: int = 0


class DumpsSite:
    """The published hours and their troubles; safe to use from several threads."""

    def __init__(
        self, hours: Iterable[Hour], trouble: Mapping[Hour, Trouble], source: HourSource, clock: Clock
    ) -> None:
        self._troubles = {hour: trouble.get(hour, Trouble()) for hour in hours}
        self._asks: dict[Hour, _Asks] = {}
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        if strangers := set(trouble) - set(self._troubles):
            raise ValueError(f"trouble for hours that are not served: {', '.join(map(str, sorted(strangers)))}")

    @property
    def hours(self) -> list[Hour]:
        """The hours that are served, withheld ones included, oldest first."""
        with self._lock:
            return sorted(self._troubles)

    def publish(self, hour: Hour, trouble: Trouble | None = None) -> None:
        """Adds the hour, or gives it this trouble from now on; its requests are counted from zero again."""
        with self._lock:
            self._troubles[hour] = trouble or Trouble()
            self._asks.pop(hour, None)

    def answer(self, method: str, path: str, request: Message) -> Reply:
        """What a GET or HEAD gets; the caller leaves a HEAD's body out."""
        if _LIBRARY_DEFAULT.fullmatch(request["User-Agent"] or ""):
            return refusal(HTTPStatus.FORBIDDEN, "Please set a user-agent that says who you are and how to reach you.")
        if path != BASE_PATH and not path.startswith(f"{BASE_PATH}/"):
            return refusal(HTTPStatus.NOT_FOUND, "Not found.")
        name = path.removeprefix(BASE_PATH).strip("/")
        hour = self._hour_of(name)
        if hour is None:
            return self._index(name)
        return self._file(method, name, hour, request)

    def _hour_of(self, name: str) -> Hour | None:
        try:
            hour = hour_of_pageviews(re.sub(r"projectviews-(\d{8}-\d{6})$", r"pageviews-\1.gz", name))
        except ValueError:
            return None
        return hour if name in (pageviews_path(hour), projectviews_path(hour)) else None

    def _file(self, method: str, name: str, hour: Hour, request: Message) -> Reply:
        is_pageviews = name == pageviews_path(hour)
        with self._lock:
            trouble = self._troubles.get(hour)
            asks = self._asks.setdefault(hour, _Asks())
            if is_pageviews:
                asks.gets += method == "GET"
                asks.heads += method == "HEAD"
            asked = self._asked(asks, head=is_pageviews and method == "HEAD")
        if trouble is None or trouble.withheld(asked):
            return refusal(HTTPStatus.NOT_FOUND, "Not found.")
        published = trouble.published(self._source.published(hour, trouble.version(asked)), asked)
        if is_pageviews:
            return trouble.reply(reply_with_file(published.pageviews, request), asked)
        if published.projectviews is None:
            return refusal(HTTPStatus.NOT_FOUND, "Not found.")
        return reply_with_file(published.projectviews, request)

    def _asked(self, asks: _Asks, *, head: bool = False) -> Asked:
        return Asked(self._clock.now(), asks.gets, asks.gets + asks.heads, head)

    def _index(self, folder: str) -> Reply:
        """The folder's HTML index: of the base its years, of a year its months, of a month its files."""
        prefix = f"{folder}/" if folder else ""
        with self._lock:
            there = [
                hour for hour, t in self._troubles.items() if not t.withheld(self._asked(self._asks.get(hour, _Asks())))
            ]
        paths = [path for hour in there for path in (pageviews_path(hour), projectviews_path(hour))]
        entries = {_first_part(path.removeprefix(prefix)) for path in paths if path.startswith(prefix)}
        if folder and not entries:
            return refusal(HTTPStatus.NOT_FOUND, "Not found.")
        title = html.escape(f"Index of {BASE_PATH}/{prefix}")
        links = "".join(f'<a href="{entry}">{entry}</a>\n' for entry in ["../", *sorted(entries)])
        head, body = (
            f"<head><title>{title}</title></head>",
            f"<body>\n<h1>{title}</h1><hr><pre>{links}</pre><hr></body>",
        )
        page = f"<html>\n{head}\n{body}\n</html>\n"
        return Reply(HTTPStatus.OK, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _first_part(path: str) -> str:
    part, slash, _ = path.partition("/")
    return part + slash
