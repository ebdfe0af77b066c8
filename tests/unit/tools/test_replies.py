from datetime import UTC, datetime
from email.message import Message

import pytest
from tests.tools.published_hours import PublishedFile
from tests.tools.replies import http_date, refusal, reply_with_file

FILE = PublishedFile(b"0123456789", datetime(2026, 11, 20, 10, 42, tzinfo=UTC), "application/gzip")
DATE = "Fri, 20 Nov 2026 10:42:00 GMT"


def request(**headers: str) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return message


def test_a_plain_request_gets_the_whole_file_and_its_validators() -> None:
    reply = reply_with_file(FILE, request())
    assert (reply.status, reply.body) == (200, b"0123456789")
    assert reply.headers["ETag"] == FILE.etag
    assert reply.headers["Last-Modified"] == DATE == http_date(FILE.modified_at)
    assert reply.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_None_Match": FILE.etag}, 304),
        ({"If_None_Match": f'"other", W/{FILE.etag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": DATE}, 200),
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": "Fri, 20 Nov 2026 10:41:59 GMT"}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
    ],
)
def test_a_file_that_the_client_has_is_not_sent_again(headers: dict[str, str], status: int) -> None:
    reply = reply_with_file(FILE, request(**headers))
    assert reply.status == status
    assert bool(reply.body) == (status == 200)


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
    ],
)
def test_a_range_gets_its_part(asked: str, body: bytes, content_range: str) -> None:
    reply = reply_with_file(FILE, request(Range=asked))
    assert (reply.status, reply.body) == (206, body)
    assert reply.headers["Content-Range"] == content_range


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=-", "lines=1-2"])
def test_a_range_that_is_not_understood_gets_the_whole_file(asked: str) -> None:
    assert reply_with_file(FILE, request(Range=asked)).status == 200


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=7-6", "bytes=-0"])
def test_a_range_without_a_byte_is_not_satisfiable(asked: str) -> None:
    reply = reply_with_file(FILE, request(Range=asked))
    assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */10")


@pytest.mark.parametrize(
    ("condition", "status"),
    [(FILE.etag, 206), (DATE, 206), ('"older"', 200), (http_date(datetime(2026, 11, 1, tzinfo=UTC)), 200)],
)
def test_a_range_of_a_file_that_has_changed_gets_the_whole_new_one(condition: str, status: int) -> None:
    assert reply_with_file(FILE, request(Range="bytes=4-", If_Range=condition)).status == status


def test_a_refusal_names_its_headers_and_ends_in_a_line_feed() -> None:
    reply = refusal(503, "Later.", Retry_After="7")
    assert (reply.status, reply.body, reply.headers["Retry-After"]) == (503, b"Later.\n", "7")
