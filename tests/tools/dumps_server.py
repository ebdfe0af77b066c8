"""A dumps server on loopback that behaves as dumps.wikimedia.org does, and misbehaves when told to.

    with DumpsServer(hours=hours, trouble={hours[3]: TruncatedAtFirst()}) as server:
        client = DumpsClient(server.url, ...)

    python -m tests.tools.dumps_server --hours 36 --end 2026-11-20T09 --demo-trouble

What it serves is derived from the bundled excerpt unless a real file is given for an hour. Files, folders' indexes,
ETag and Last-Modified with conditional and range requests, 404 before publication, 403 for a library's default
User-Agent, and 503 with Retry-After for more than three requests at once.
"""

from __future__ import annotations

import argparse
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pageviews_core.clock import Clock, SystemClock
from pageviews_core.hour import Hour, hour_range
from tests.tools.demo_trouble import demo_trouble
from tests.tools.dumps_http import DumpsHTTPServer, SeenRequest
from tests.tools.dumps_layout import pageviews_path
from tests.tools.dumps_site import BASE_PATH, DumpsSite
from tests.tools.published_hours import DerivedHours, HourSource, RealFiles
from tests.tools.troubles import Slow, Trouble


class DumpsServer:
    """Serves `hours` on loopback while entered; `url` is the base that PAGEVIEWS_SOURCE_URL wants."""

    def __init__(
        self,
        hours: Iterable[Hour],
        trouble: Mapping[Hour, Trouble] | None = None,
        *,
        source: HourSource | None = None,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._host = host
        self._site = DumpsSite(hours, trouble or {}, source or DerivedHours(), clock or SystemClock())
        self._port = port
        self._http: DumpsHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._http = DumpsHTTPServer((self._host, self._port), self._site)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="dumps-server")
        self._thread.start()
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends every connection, slow ones at once too; stopping again does nothing."""
        assert self._http
        assert self._thread
        self._http.stop()
        self._thread.join()

    @property
    def url(self) -> str:
        assert self._http, "the server has no address before it is entered"
        return f"http://127.0.0.1:{self._http.server_port}{BASE_PATH}"

    @property
    def hours(self) -> list[Hour]:
        return self._site.hours

    def url_of(self, hour: Hour) -> str:
        """Where the hour's pageviews file is, or will be."""
        return f"{self.url}/{pageviews_path(hour)}"

    def publish(self, hour: Hour, trouble: Trouble | None = None) -> None:
        """Adds the hour, or gives a served one this trouble from now on, its requests counted from zero again."""
        self._site.publish(hour, trouble)

    def heal(self, hour: Hour) -> None:
        """Serves the hour as it should be from now on."""
        self._site.publish(hour)

    @property
    def requests(self) -> list[SeenRequest]:
        """Every request so far, in the order of their answers; still there after the server was left."""
        assert self._http
        return self._http.seen()

    @property
    def most_at_once(self) -> int:
        """The highest number of requests that were being answered at one time, refused ones included."""
        assert self._http
        return self._http.most_at_once

    def requests_by_path(self) -> Counter[str]:
        return Counter(request.path for request in self.requests)

    def requests_by_user_agent(self) -> Counter[str]:
        return Counter(request.user_agent for request in self.requests)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve derived hours on loopback as dumps.wikimedia.org would.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--to-come", type=int, default=0, help="so many more hours, each served once it has ended")
    parser.add_argument("--hours", type=int, default=36, help="how many consecutive hours")
    parser.add_argument(
        "--end", type=Hour.parse, help="the newest hour, by its start: 2026-11-20T09 (the last one ended)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the excerpt's pages, above 0 and at most 1")
    parser.add_argument("--demo-trouble", action="store_true", help="one hour late, one truncated, one restated, ...")
    parser.add_argument("--bytes-per-second", type=int, help="serve every hour as slowly as this")
    parser.add_argument("--file", type=Path, help="serve this real file as the newest hour")
    parser.add_argument("--projectviews", type=Path, help="the control totals that go with --file")
    arguments = parser.parse_args()
    newest = arguments.end or Hour.newest_ended(datetime.now(UTC))
    hours = list(hour_range(newest + (1 - arguments.hours), newest + 1))
    source: HourSource = DerivedHours(arguments.scale)
    if arguments.file:
        control = {newest: arguments.projectviews} if arguments.projectviews else {}
        source = RealFiles({newest: arguments.file}, control, others=source)
    trouble: dict[Hour, Trouble] = demo_trouble(hours).by_hour if arguments.demo_trouble else {}
    if arguments.bytes_per_second:
        trouble = dict.fromkeys(hours, Slow(arguments.bytes_per_second))
    to_come = hour_range(newest + 1, newest + 1 + arguments.to_come)
    served = [*hours, *to_come]
    with (
        DumpsServer(served, trouble, source=source, host=arguments.host, port=arguments.port) as server,
        suppress(KeyboardInterrupt),
    ):
        print(f"{hours[0]} to {newest} at {server.url} (Ctrl-C ends)", flush=True)
        for hour, what in sorted(trouble.items()):
            print(f"  {hour}: {what}")
        threading.Event().wait()


if __name__ == "__main__":
    main()
