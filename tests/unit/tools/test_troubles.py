import gzip
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from tests.tools.bad_lines import BAD_LINES
from tests.tools.published_hours import PublishedFile, PublishedHour
from tests.tools.replies import Reply
from tests.tools.troubles import (
    Asked,
    CutConnection,
    EmptyFile,
    HtmlPage,
    Late,
    Missing,
    RedirectedTo,
    Refusing,
    Restated,
    Slow,
    TrailingGarbage,
    Trouble,
    TruncatedAtFirst,
    WithBadLines,
    WrongCrc,
    WrongLength,
)

from pageviews_core.hour import Hour

NOW = datetime(2026, 11, 20, 10, 42, tzinfo=UTC)
TEXT = b"en Main_Page 5 0\n" * 100
FILE = PublishedFile(gzip.compress(TEXT, mtime=0), NOW, "application/gzip")
PUBLISHED = PublishedHour(FILE, PublishedFile(b"en - 500 0\n", NOW, "text/plain"))
REPLY = Reply(200, FILE.content)


def asked(gets: int = 1, now: datetime = NOW) -> Asked:
    return Asked(now, gets=gets, asks=gets)


def content(trouble: Trouble, gets: int = 1) -> bytes:
    published = trouble.published(PUBLISHED, asked(gets))
    assert published.projectviews == PUBLISHED.projectviews
    return published.pageviews.content


def test_an_hour_without_trouble_is_served_as_it_is() -> None:
    trouble = Trouble()
    assert not trouble.withheld(asked())
    assert trouble.version(asked()) == 1
    assert trouble.published(PUBLISHED, asked()) is PUBLISHED
    assert trouble.reply(REPLY, asked()) is REPLY


def test_a_missing_hour_never_comes() -> None:
    assert Missing().withheld(asked(gets=1_000))


def test_a_late_hour_comes_at_its_time() -> None:
    late = Late(until=NOW)
    assert late.withheld(asked(now=NOW - timedelta(seconds=1)))
    assert not late.withheld(asked(gets=0))


def test_a_late_hour_comes_after_so_many_requests() -> None:
    assert [Late(asks=2).withheld(asked(gets)) for gets in range(5)] == [True, True, True, False, False]


def test_a_late_hour_comes_when_it_is_published_by_hand() -> None:
    late = Late(until=NOW + timedelta(days=1), asks=5)
    late.publish()
    assert not late.withheld(asked())


def test_an_hour_is_restated_when_told_to_or_once_it_was_fetched() -> None:
    assert [Restated(after_gets=1).version(asked(gets)) for gets in range(4)] == [1, 1, 2, 2]
    assert Restated(after_gets=1).version(Asked(NOW, gets=1, asks=3, head=True)) == 2
    by_hand = Restated()
    assert by_hand.version(asked(gets=9)) == 1
    by_hand.restate()
    assert by_hand.version(asked()) == 2


def test_a_file_truncated_at_first_is_whole_later() -> None:
    trouble = TruncatedAtFirst(gets=2, share=0.5)
    assert content(trouble, gets=2) == FILE.content[: len(FILE.content) // 2]
    assert content(trouble, gets=3) == FILE.content


def test_bad_lines_come_on_top_of_the_hours_own() -> None:
    trouble = WithBadLines()
    assert gzip.decompress(content(trouble)).count(b"\n") == 100 + len(BAD_LINES)
    assert (trouble.rejected, trouble.loadable, trouble.views) == (15, 5, 15)


def test_an_html_page_is_no_gzip() -> None:
    assert content(HtmlPage()).startswith(b"<!DOCTYPE html>")
    assert HtmlPage().published(PUBLISHED, asked()).pageviews.content_type.startswith("text/html")


def test_an_empty_file_has_no_byte() -> None:
    assert content(EmptyFile()) == b""


def test_a_wrong_crc_leaves_the_data_as_they_are() -> None:
    spoiled = content(WrongCrc())
    assert zlib.decompressobj(wbits=-15).decompress(spoiled[10:]) == TEXT
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(spoiled)


def test_trailing_garbage_follows_a_whole_file() -> None:
    assert content(TrailingGarbage(b"oops")) == FILE.content + b"oops"


def test_a_wrong_length_is_announced_above_or_below_the_true_one() -> None:
    assert WrongLength(by=7).reply(REPLY, asked()).content_length == len(FILE.content) + 7
    assert WrongLength(by=-7).reply(REPLY, asked()).content_length == len(FILE.content) - 7


def test_a_slow_hour_keeps_its_pace() -> None:
    assert Slow(bytes_per_second=50).reply(REPLY, asked()).bytes_per_second == 50


def test_a_connection_is_cut_in_the_first_gets_only() -> None:
    trouble = CutConnection(gets=1, share=0.5)
    assert trouble.reply(REPLY, asked(gets=1)).cut_after == len(FILE.content) // 2
    assert trouble.reply(REPLY, asked(gets=2)) is REPLY


def test_a_refusal_says_when_to_come_back_and_ends() -> None:
    refused = Refusing(429, retry_after="30").reply(REPLY, asked(gets=1))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "30")
    assert "Retry-After" not in Refusing(retry_after=None).reply(REPLY, asked()).headers
    assert Refusing(gets=1).reply(REPLY, asked(gets=2)) is REPLY


def test_a_redirect_leads_to_the_other_hours_file() -> None:
    reply = RedirectedTo(Hour.parse("2026-11-20T23")).reply(REPLY, asked())
    assert reply.status == 302
    assert reply.headers["Location"] == "../../2026/2026-11/pageviews-20261121-000000.gz"
