from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.fake_clock import FakeClock
from tests.integration.ingestor.scripted_server import Answer, ScriptedServer, cut, file, hang_up, serving, status

from ingestor.wikimedia import DownloadCorrupt, Downloaded, DumpsClient, NotModified, NotPublished
from pageviews_core.errors import ConfigurationError, SourceUnavailable, Stopped
from pageviews_core.hour import Hour

HOUR = Hour.parse("2026-11-20T09")
FOLDER = "/other/pageviews/2026/2026-11"
PATH = f"{FOLDER}/pageviews-20261120-100000.gz"
CONTROL = f"{FOLDER}/projectviews-20261120-100000"
# Stored, not compressed, so that it is large enough to be cut anywhere.
CONTENT = gzip.compress(b"".join(b"en Title_%d 1 0\n" % number for number in range(30_000)), 0, mtime=0)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(server: ScriptedServer, clock: FakeClock) -> Iterator[DumpsClient]:
    with DumpsClient(server.url, "pageviews@example.org", connections=2, clock=clock) as client:
        yield client


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "source.gz"


def assert_whole(found: Downloaded | NotModified | NotPublished, to: Path, content: bytes = CONTENT) -> Downloaded:
    assert isinstance(found, Downloaded)
    assert found.path == to
    assert to.read_bytes() == content
    assert (found.bytes, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return found


class TestAGoodServer:
    def test_the_file_of_the_end_of_the_hour_comes_as_served(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, file(CONTENT, etag='"abc"', last_modified="Fri, 20 Nov 2026 10:20:00 GMT"))
        found = assert_whole(client.fetch_pageviews(HOUR, to), to)
        assert (found.etag, found.last_modified) == ('"abc"', "Fri, 20 Nov 2026 10:20:00 GMT")
        assert found.url == f"{server.url}/2026/2026-11/pageviews-20261120-100000.gz"
        assert found.file_name == "pageviews-20261120-100000.gz"

    def test_the_client_says_who_it_is_and_takes_the_bytes_as_they_are(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, file(CONTENT))
        client.fetch_pageviews(HOUR, to)
        headers = server.requests[0][2]
        assert headers["user-agent"].startswith("wikipedia-pageviews/")
        assert headers["user-agent"].endswith(" (pageviews@example.org)")
        assert headers["accept-encoding"] == "identity"

    def test_a_label_of_content_encoding_does_not_unpack_the_file(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, status(200, body=CONTENT, Content_Encoding="gzip"))
        assert_whole(client.fetch_pageviews(HOUR, to), to)

    def test_an_unchanged_file_is_not_sent_again(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, file(CONTENT, etag='"abc"'))
        assert isinstance(client.fetch_pageviews(HOUR, to, etag='"abc"'), NotModified)
        assert not to.exists()

    def test_a_restated_file_is_sent(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, file(CONTENT, etag='"new"'))
        assert_whole(client.fetch_pageviews(HOUR, to, etag='"old"'), to)

    def test_not_found_is_an_answer_and_is_asked_once(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        assert isinstance(client.fetch_pageviews(HOUR, to), NotPublished)
        assert client.fetch_projectviews(HOUR) is None
        assert not client.is_published(HOUR)
        assert len(server.requests) == 3

    def test_the_control_file_is_read_whole(self, server: ScriptedServer, client: DumpsClient) -> None:
        server.says(CONTROL, status(503), cut(b"en - 5 0\n", 3), file(b"en - 5 0\n"))
        assert client.fetch_projectviews(HOUR) == b"en - 5 0\n"

    def test_a_password_of_a_mirror_is_used_and_never_shown(
        self, server: ScriptedServer, clock: FakeClock, to: Path
    ) -> None:
        server.says(PATH, file(CONTENT))
        url = server.url.replace("http://", "http://reader:s3cret@")
        with DumpsClient(url, "x@example.org", connections=1, clock=clock) as client:
            found = assert_whole(client.fetch_pageviews(HOUR, to), to)
            shown = found.url + client.base_url + client.pageviews_url(HOUR)
        assert server.requests[0][2]["authorization"].startswith("Basic ")
        assert "s3cret" not in shown

    def test_never_more_than_three_connections_at_a_time(
        self, server: ScriptedServer, clock: FakeClock, tmp_path: Path
    ) -> None:
        together = threading.Barrier(3, timeout=10)

        def slowly(handler: BaseHTTPRequestHandler) -> None:
            together.wait()
            file(CONTENT)(handler)

        server.says(PATH, slowly)
        with (
            DumpsClient(server.url, "x@example.org", connections=9, clock=clock) as client,
            ThreadPoolExecutor(6) as pool,
        ):
            found = list(pool.map(lambda n: client.fetch_pageviews(HOUR, tmp_path / f"{n}.gz"), range(6)))
        assert all(isinstance(one, Downloaded) for one in found)
        assert server.most_at_once == 3


class TestLooking:
    def test_the_newest_published_hour_is_looked_for_backwards(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock
    ) -> None:
        server.says(f"{FOLDER}/pageviews-20261120-080000.gz", file(CONTENT))
        assert client.newest_published(clock.now()) == Hour.parse("2026-11-20T07")
        assert [path[-9:-3] for _, path, _ in server.requests] == ["100000", "090000", "080000"]
        assert {method for method, _, _ in server.requests} == {"HEAD"}

    def test_it_is_looked_for_no_further_than_asked(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock
    ) -> None:
        assert client.newest_published(clock.now(), look_back=5) is None
        assert len(server.requests) == 5

    @pytest.mark.parametrize(
        ("etag", "last_modified", "unchanged"),
        [
            ('"v1"', None, True),
            ('"v0"', None, False),
            ('"v0"', "Fri, 20 Nov 2026 10:20:00 GMT", False),
            (None, "Fri, 20 Nov 2026 10:20:00 GMT", True),
            (None, "Fri, 20 Nov 2026 09:20:00 GMT", False),
            (None, None, False),
        ],
    )
    def test_a_restatement_is_told_by_etag_or_date(
        self, server: ScriptedServer, client: DumpsClient, etag: str | None, last_modified: str | None, unchanged: bool
    ) -> None:
        server.says(PATH, file(CONTENT, etag='"v1"', last_modified="Fri, 20 Nov 2026 10:20:00 GMT"))
        assert client.unchanged(HOUR, etag=etag, last_modified=last_modified) is unchanged

    def test_a_server_without_conditional_requests_is_compared_with(
        self, server: ScriptedServer, client: DumpsClient
    ) -> None:
        server.says(PATH, status(200, ETag='"v1"'))
        assert client.unchanged(HOUR, etag='"v1"', last_modified=None)

    def test_a_file_that_is_gone_changes_nothing(self, client: DumpsClient) -> None:
        assert client.unchanged(HOUR, etag='"v1"', last_modified=None)

    def test_the_check_is_content_with_a_file_that_is_not_there_yet(self, client: DumpsClient) -> None:
        client.check()


class TestCutTransfers:
    def test_a_cut_file_is_resumed_where_it_ended(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, cut(CONTENT, 1000), file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)
        headers = server.requests[1][2]
        assert (headers["range"], headers["if-range"]) == ("bytes=1000-", '"v1"')

    @pytest.mark.parametrize("after", [0, 1])
    def test_a_file_cut_at_its_very_beginning_is_fetched(
        self, server: ScriptedServer, client: DumpsClient, to: Path, after: int
    ) -> None:
        server.says(PATH, cut(CONTENT, after), file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)

    def test_a_file_that_changed_meanwhile_is_taken_from_its_beginning(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        other = gzip.compress(b"en Other 1 0\n" * 5000, 0)
        server.says(PATH, cut(CONTENT, 1000), file(other, etag='"v2"'))
        assert assert_whole(client.fetch_pageviews(HOUR, to), to, other).etag == '"v2"'

    def test_a_server_that_ignores_ranges_is_taken_from_the_beginning(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, cut(CONTENT, 1000), file(CONTENT, ranges=False))
        assert_whole(client.fetch_pageviews(HOUR, to), to)

    @pytest.mark.parametrize("etag", [None, 'W/"weak"'])
    def test_without_a_strong_validator_nothing_is_resumed(
        self, server: ScriptedServer, client: DumpsClient, to: Path, etag: str | None
    ) -> None:
        server.says(PATH, cut(CONTENT, 1000, etag=etag), file(CONTENT, etag=etag))
        assert_whole(client.fetch_pageviews(HOUR, to), to)
        assert "range" not in server.requests[1][2]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content_Range": f"bytes 0-9/{len(CONTENT)}"},
            {"Content_Range": "bytes 1000-1009/1010"},
            {"Content_Range": f"bytes 1000-1009/{len(CONTENT)}", "ETag": '"v2"'},
            {},
        ],
    )
    def test_a_part_that_does_not_fit_is_not_appended(
        self, server: ScriptedServer, client: DumpsClient, to: Path, headers: dict[str, str]
    ) -> None:
        server.says(PATH, cut(CONTENT, 1000), status(206, body=b"x" * 10, **headers), file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)

    def test_many_cuts_that_get_on_lead_to_the_whole_file(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        def cut_part(handler: BaseHTTPRequestHandler) -> None:
            start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            handler.send_response(206)
            handler.send_header("ETag", '"v1"')
            handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
            handler.send_header("Content-Length", str(len(CONTENT) - start))
            handler.end_headers()
            handler.wfile.write(CONTENT[start : start + 70_000])
            handler.close_connection = True

        server.says(PATH, cut(CONTENT, 70_000), cut_part, cut_part, file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)

    def test_a_length_that_is_never_kept_is_corrupt_with_the_part_as_evidence(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, cut(CONTENT, len(CONTENT), length=len(CONTENT) + 7))
        with pytest.raises(DownloadCorrupt, match=f"{len(CONTENT)} of {len(CONTENT) + 7} bytes") as caught:
            client.fetch_pageviews(HOUR, to)
        assert caught.value.file
        assert caught.value.file.read_bytes() == CONTENT
        assert len(server.requests) == 5
        assert not to.exists()

    def test_a_length_that_the_server_itself_does_not_believe_is_corrupt(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        wrong = cut(CONTENT, len(CONTENT), length=len(CONTENT) + 7)
        no_more = status(416, Content_Range=f"bytes */{len(CONTENT)}")
        server.says(PATH, wrong, no_more, wrong, no_more, wrong)
        with pytest.raises(DownloadCorrupt):
            client.fetch_pageviews(HOUR, to)

    def test_bytes_beyond_the_length_are_not_taken(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, cut(CONTENT + b"more", len(CONTENT) + 4, length=len(CONTENT)))
        assert_whole(client.fetch_pageviews(HOUR, to), to)


class TestWhatIsNotTheFile:
    def test_a_page_of_html_with_status_200_is_corrupt_and_quoted(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        page = b"<html>\x1b[31mdown for maintenance</html>"
        server.says(PATH, status(200, body=page, Content_Type="text/html; charset=utf-8"))
        with pytest.raises(DownloadCorrupt, match="text/html") as caught:
            client.fetch_pageviews(HOUR, to)
        assert "<html>\\x1b[31mdown" in str(caught.value)
        assert caught.value.file
        assert caught.value.file.read_bytes() == page
        assert len(server.requests) == 1

    def test_an_empty_file_is_corrupt(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, status(200))
        with pytest.raises(DownloadCorrupt, match="empty"):
            client.fetch_pageviews(HOUR, to)

    def test_a_redirect_to_the_same_file_elsewhere_is_followed(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, status(302, Location="/mirror/pageviews-20261120-100000.gz"))
        server.says("/mirror/pageviews-20261120-100000.gz", file(CONTENT))
        assert assert_whole(client.fetch_pageviews(HOUR, to), to).url.endswith("/mirror/pageviews-20261120-100000.gz")

    def test_a_redirect_to_another_hour_is_corrupt(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        other = f"{FOLDER}/pageviews-20261120-090000.gz"
        server.says(PATH, status(302, Location=other))
        server.says(other, file(CONTENT))
        with pytest.raises(DownloadCorrupt, match="another file"):
            client.fetch_pageviews(HOUR, to)
        with pytest.raises(DownloadCorrupt, match="another file"):
            client.is_published(HOUR)

    def test_a_control_file_elsewhere_is_no_fault_of_the_hour(
        self, server: ScriptedServer, client: DumpsClient
    ) -> None:
        server.says(CONTROL, status(302, Location="/login"))
        server.says("/login", status(200, body=b"<html>"))
        with pytest.raises(SourceUnavailable, match="another file"):
            client.fetch_projectviews(HOUR)

    def test_a_redirect_away_from_http_is_not_followed(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, status(302, Location="ftp://127.0.0.1/pageviews-20261120-100000.gz"))
        with pytest.raises(DownloadCorrupt, match="away from http"):
            client.fetch_pageviews(HOUR, to)

    def test_redirects_in_a_circle_come_to_an_end(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, status(302, Location=PATH))
        with pytest.raises(SourceUnavailable, match="more than 3 times"):
            client.fetch_pageviews(HOUR, to)
        assert len(server.requests) == 4


class TestAServerInTrouble:
    @pytest.mark.parametrize(
        "trouble",
        [*map(status, (503, 502, 500, 429, 408)), hang_up],
        ids=["503", "502", "500", "429", "408", "hang up"],
    )
    def test_what_may_pass_is_tried_again(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path, trouble: Answer
    ) -> None:
        server.says(PATH, trouble, trouble, file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)
        assert sum(clock.slept) > 1

    def test_what_does_not_pass_is_unavailable_after_a_few_attempts(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        server.says(PATH, status(503))
        with pytest.raises(SourceUnavailable, match=r"503 .*gave up after 5 attempts"):
            client.fetch_pageviews(HOUR, to)
        assert len(server.requests) == 5
        assert sum(clock.slept) < 120

    def test_retry_after_in_seconds_is_obeyed(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        server.says(PATH, status(429, Retry_After="7"), status(503, Retry_After="40"), file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)
        assert sum(clock.slept) == 47

    def test_retry_after_as_a_date_is_obeyed(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        at = clock.now() + timedelta(seconds=30)
        server.says(PATH, status(503, Retry_After=f"{at:%a, %d %b %Y %H:%M:%S} GMT"), file(CONTENT))
        assert_whole(client.fetch_pageviews(HOUR, to), to)
        assert sum(clock.slept) == 30

    def test_a_longer_wait_is_left_to_the_next_run_and_says_until_when(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        server.says(PATH, status(503, Retry_After="3600"))
        with pytest.raises(SourceUnavailable, match="until 2026-11-20T11:15:00Z"):
            client.fetch_pageviews(HOUR, to)
        assert clock.slept == []
        assert len(server.requests) == 1

    def test_a_refusal_is_a_matter_of_configuration(
        self, server: ScriptedServer, client: DumpsClient, to: Path
    ) -> None:
        server.says(PATH, status(403, body=b"Please set a user-agent and respect our robot policy"))
        with pytest.raises(ConfigurationError, match=r"PAGEVIEWS_CONTACT.*respect our robot policy"):
            client.fetch_pageviews(HOUR, to)
        with pytest.raises(ConfigurationError, match="403"):
            client.check()

    def test_any_other_status_is_not_tried_again(self, server: ScriptedServer, client: DumpsClient, to: Path) -> None:
        server.says(PATH, status(400))
        with pytest.raises(SourceUnavailable, match="PAGEVIEWS_SOURCE_URL"):
            client.fetch_pageviews(HOUR, to)
        assert len(server.requests) == 1

    def test_a_server_that_is_not_there_is_unavailable(self, clock: FakeClock, to: Path) -> None:
        with serving() as gone:
            pass
        with (
            DumpsClient(gone.url, "x@example.org", connections=1, clock=clock) as client,
            pytest.raises(SourceUnavailable, match="gave up"),
        ):
            client.fetch_pageviews(HOUR, to)

    def test_a_trickle_is_unavailable(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        sent = threading.Semaphore(0)

        def trickle(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(CONTENT)))
            handler.end_headers()
            for at in range(0, len(CONTENT), 500):
                handler.wfile.write(CONTENT[at : at + 500])
                handler.wfile.flush()
                clock.advance(10)
                sent.acquire(timeout=0.05)

        server.says(PATH, trickle)
        with pytest.raises(SourceUnavailable, match="comes too slowly"):
            client.fetch_pageviews(HOUR, to)

    def test_a_slow_server_that_gets_on_is_waited_for(
        self, server: ScriptedServer, client: DumpsClient, clock: FakeClock, to: Path
    ) -> None:
        def slowly(handler: BaseHTTPRequestHandler) -> None:
            clock.advance(50)
            file(CONTENT)(handler)

        server.says(PATH, slowly)
        assert_whole(client.fetch_pageviews(HOUR, to), to)


class TestStopping:
    def test_a_download_is_stopped_between_chunks(self, server: ScriptedServer, clock: FakeClock, to: Path) -> None:
        server.says(PATH, file(CONTENT))
        with (
            DumpsClient(server.url, "x@example.org", connections=1, clock=clock, should_stop=lambda: True) as client,
            pytest.raises(Stopped),
        ):
            client.fetch_pageviews(HOUR, to)
        assert not to.exists()

    def test_a_wait_is_stopped_within_a_second(self, server: ScriptedServer, clock: FakeClock, to: Path) -> None:
        server.says(PATH, status(503, Retry_After="100"))
        asked = iter([False, False, False, True])
        stop = asked.__next__
        with (
            DumpsClient(server.url, "x@example.org", connections=1, clock=clock, should_stop=stop) as client,
            pytest.raises(Stopped),
        ):
            client.fetch_pageviews(HOUR, to)
        assert clock.slept == [1, 1, 1]


class TestTheDisk:
    def test_a_folder_that_cannot_be_written_is_named(
        self, server: ScriptedServer, client: DumpsClient, tmp_path: Path
    ) -> None:
        server.says(PATH, file(CONTENT))
        with pytest.raises(ConfigurationError, match="PAGEVIEWS_SCRATCH_DIR"):
            client.fetch_pageviews(HOUR, tmp_path / "nowhere" / "source.gz")
