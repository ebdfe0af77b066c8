import gzip
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import httpx
import pytest
from tests.tools.derived_hours import derive_hour
from tests.tools.dumps_layout import pageviews_path, projectviews_path
from tests.tools.dumps_server import DumpsServer
from tests.tools.published_hours import DerivedHours
from tests.tools.troubles import CutConnection, RedirectedTo, Refusing, Slow, Trouble, TruncatedAtFirst, WrongLength

from pageviews_core.hour import Hour, hour_range

START = Hour.parse("2026-11-20T09")
HOURS = list(hour_range(START, START + 3))
REPOSITORY = Path(__file__).parents[3]
USER_AGENT = "dumps-server-tests/1 (mail@example.org)"


@contextmanager
def serving(trouble: Trouble | None = None) -> Iterator[tuple[DumpsServer, httpx.Client]]:
    """A server whose first hour has the trouble, and a client whose URLs are relative to its base."""
    hours = {START: trouble} if trouble else {}
    with (
        DumpsServer(HOURS, hours, source=DerivedHours(scale=0.01)) as server,
        httpx.Client(base_url=server.url, headers={"User-Agent": USER_AGENT}, timeout=10, trust_env=False) as client,
    ):
        yield server, client


def test_an_hour_is_served_over_http_with_its_control_totals() -> None:
    derived = derive_hour(START, scale=0.01)
    with serving() as (server, client):
        assert client.get(server.url_of(START)).content == derived.pageviews_gz
        assert client.get(projectviews_path(START)).content == derived.projectviews
        head = client.head(pageviews_path(START))
    assert int(head.headers["Content-Length"]) == len(derived.pageviews_gz)
    assert head.content == b""


def test_conditional_and_range_requests_work_over_one_connection() -> None:
    path = pageviews_path(START)
    with serving() as (_, client):
        whole = client.get(path)
        validators = {"If-None-Match": whole.headers["ETag"], "If-Modified-Since": whole.headers["Last-Modified"]}
        assert client.get(path, headers=validators).status_code == 304
        rest = client.get(path, headers={"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]})
        assert rest.status_code == 206
        assert whole.content[:1000] + rest.content == whole.content


def test_requests_are_counted_by_path_and_by_user_agent() -> None:
    with serving() as (server, client):
        client.get(pageviews_path(START), headers={"Range": "bytes=5-"})
        client.head(pageviews_path(START))
        assert client.get(pageviews_path(START), headers={"User-Agent": "python-httpx/0.28.1"}).status_code == 403
    path = f"/other/pageviews/{pageviews_path(START)}"
    assert server.requests_by_path() == {path: 3}
    assert server.requests_by_user_agent() == {USER_AGENT: 2, "python-httpx/0.28.1": 1}
    assert [(seen.method, seen.range, seen.status) for seen in server.requests] == [
        ("GET", "bytes=5-", 206),
        ("HEAD", None, 200),
        ("GET", None, 403),
    ]


def test_a_fourth_request_at_once_is_told_to_come_back() -> None:
    with serving(Slow(bytes_per_second=200)) as (server, client), ThreadPoolExecutor(3) as pool:
        begun = threading.Semaphore(0)

        def read_slowly() -> None:
            """Busy until the server is stopped below."""
            with client.stream("GET", pageviews_path(START)) as response:
                begun.release()
                deque(response.iter_raw(), maxlen=0)

        readers = [pool.submit(read_slowly) for _ in range(3)]
        for _ in readers:
            assert begun.acquire(timeout=10)
        refused = client.get(pageviews_path(HOURS[1]))
        started = monotonic()
        server.stop()
        assert monotonic() - started < 2
        for reader in readers:
            with pytest.raises(httpx.HTTPError):
                reader.result()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert server.most_at_once == 4


def test_a_truncated_file_has_a_true_length_and_is_whole_the_next_time() -> None:
    with serving(TruncatedAtFirst(gets=1)) as (_, client):
        first, second = client.get(pageviews_path(START)), client.get(pageviews_path(START))
    assert first.status_code == 200
    with pytest.raises(EOFError):
        gzip.decompress(first.content)
    assert first.headers["ETag"] != second.headers["ETag"]
    assert second.content == derive_hour(START, scale=0.01).pageviews_gz


def test_a_cut_connection_ends_in_the_middle_and_the_rest_can_be_had() -> None:
    received = bytearray()
    with serving(CutConnection(gets=1)) as (_, client):
        with client.stream("GET", pageviews_path(START)) as response, pytest.raises(httpx.RemoteProtocolError):
            deque(map(received.extend, response.iter_raw()), maxlen=0)
        rest = client.get(pageviews_path(START), headers={"Range": f"bytes={len(received)}-"})
    assert bytes(received) + rest.content == derive_hour(START, scale=0.01).pageviews_gz


def test_a_length_that_is_too_long_ends_early_and_one_that_is_too_short_cuts_the_file() -> None:
    with serving(WrongLength(by=100)) as (_, client), pytest.raises(httpx.RemoteProtocolError):
        client.get(pageviews_path(START))
    with serving(WrongLength(by=-100)) as (_, client):
        whole = derive_hour(START, scale=0.01).pageviews_gz
        assert client.get(pageviews_path(START)).content == whole[:-100]
        assert client.get(pageviews_path(HOURS[1])).status_code == 200


def test_a_refused_request_says_when_to_come_back_and_then_is_served() -> None:
    with serving(Refusing(429, retry_after="2", gets=1)) as (_, client):
        first, second = client.get(pageviews_path(START)), client.get(pageviews_path(START))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "2")
    assert second.status_code == 200


def test_a_redirect_ends_at_another_hours_file() -> None:
    with serving(RedirectedTo(HOURS[2])) as (server, client):
        response = client.get(pageviews_path(START), follow_redirects=True)
        assert str(response.url) == server.url_of(HOURS[2])
    assert response.content == derive_hour(HOURS[2], scale=0.01).pageviews_gz


def test_an_hour_can_be_healed_while_the_server_runs() -> None:
    with serving(WrongLength()) as (server, client):
        server.heal(START)
        assert client.get(pageviews_path(START)).content == derive_hour(START, scale=0.01).pageviews_gz


def test_the_command_serves_hours_up_to_the_end_and_says_where() -> None:
    command = [sys.executable, "-m", "tests.tools.dumps_server", "--port", "0", "--hours", "8", "--scale", "0.01"]
    command += ["--end", str(START), "--demo-trouble"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        announced = process.stdout.readline().split()
        assert announced[:3] == [str(START + -7), "to", str(START)]
        url = f"{announced[4]}/{pageviews_path(START)}"
        assert httpx.get(url, headers={"User-Agent": USER_AGENT}, trust_env=False).status_code == 200
    finally:
        process.kill()
        process.communicate()
