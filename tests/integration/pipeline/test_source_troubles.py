"""Whatever the source serves ends in the right state, with its evidence, and heals when the source does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import pytest
from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import Pipeline, only, recent_hours, whole
from tests.integration.pipeline.processes import wait_until
from tests.tools import troubles
from tests.tools.bad_lines import BAD_LINES
from tests.tools.dumps_layout import pageviews_path
from tests.tools.replies import Reply
from tests.tools.troubles import Asked, Trouble, WithBadLines

SOON = {"PAGEVIEWS_RETRY_AFTER": "0.01s"}


@dataclass(frozen=True)
class Corrupt:
    """A trouble that is the file's own. `kept` is where what was served is found: it was refused on the way, or it
    was found out by unpacking it."""

    trouble: Callable[[], Trouble]
    error: str
    told: str
    kept: str


CORRUPT = {
    "an HTML page": Corrupt(troubles.HtmlPage, "DownloadCorrupt", "is not gzip (text/html", "quarantine/"),
    "an empty file": Corrupt(troubles.EmptyFile, "DownloadCorrupt", "is an empty file", "quarantine/"),
    "a length too large": Corrupt(troubles.WrongLength, "DownloadCorrupt", "broke off after", "quarantine/"),
    "a connection cut every time": Corrupt(
        lambda: troubles.CutConnection(gets=1000), "DownloadCorrupt", "broke off after", "quarantine/"
    ),
    "a length too small": Corrupt(lambda: troubles.WrongLength(by=-100), "SourceCorrupt", "is truncated", "raw/"),
    "a truncated file": Corrupt(lambda: troubles.TruncatedAtFirst(gets=1000), "SourceCorrupt", "is truncated", "raw/"),
    "a wrong checksum": Corrupt(troubles.WrongCrc, "SourceCorrupt", "is damaged", "raw/"),
    "trailing garbage": Corrupt(troubles.TrailingGarbage, "SourceCorrupt", "is not gzip", "raw/"),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_a_corrupt_file_fails_its_hour_alone_is_kept_and_heals(open_pipeline: OpenPipeline, name: str) -> None:
    case = CORRUPT[name]
    first, newest = recent_hours(2)
    pipeline = open_pipeline([first, newest], {first: case.trouble()}, **SOON)
    ended = pipeline.ingest()
    assert ended.code == 0, ended.output
    assert pipeline.generations("ingested") == {newest: 1}
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole([newest])
    (failure,) = pipeline.failures()
    assert (failure.hour, failure.kind, failure.error_type) == (first, "failed", case.error)
    assert case.told in failure.error
    assert failure.evidence is not None
    assert failure.evidence.startswith(case.kept)
    assert pipeline.store.get(failure.evidence)[0].startswith(once_served(pipeline))
    (run,) = pipeline.runs()
    assert run.state == "failed"
    assert {outcome.hour: outcome.outcome for outcome in run.hours} == {first: "failed", newest: "done"}
    assert pipeline.ingest("hour", str(first)).code == 75
    pipeline.server.heal(first)
    assert_heals(pipeline)


def once_served(pipeline: Pipeline) -> bytes:
    """What goes over the wire for the first hour until the trouble strikes."""
    body = b""
    url = pipeline.server.url_of(pipeline.server.hours[0])
    with (
        suppress(httpx.RemoteProtocolError),
        httpx.stream("GET", url, headers={"User-Agent": "tests (tests@localhost)"}) as response,
    ):
        for chunk in response.iter_raw():
            body += chunk
    return body


def assert_heals(pipeline: Pipeline) -> None:
    """The next tick loads what was owed, and the failures are gone."""
    due = max(failure.next_try_at for failure in pipeline.failures())
    wait_until(lambda: datetime.now(UTC) > due, "the end of the pause")
    again = pipeline.ingest()
    assert again.code == 0, again.output
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole(pipeline.server.hours)
    assert pipeline.generations("ingested") == dict.fromkeys(pipeline.server.hours, 1)
    assert pipeline.failures() == []


def test_a_redirect_to_another_hour_fails_the_hour(open_pipeline: OpenPipeline) -> None:
    first, newest = recent_hours(2)
    pipeline = open_pipeline([first, newest], {first: troubles.RedirectedTo(newest)}, **SOON)
    ended = pipeline.ingest()
    assert ended.code == 0, ended.output
    (failure,) = pipeline.failures()
    assert (failure.hour, failure.error_type, failure.evidence) == (first, "DownloadCorrupt", None)
    assert f"redirected to another file: {pipeline.server.url_of(newest)}" in failure.error
    assert pipeline.ledger() == whole([newest])
    pipeline.server.heal(first)
    assert_heals(pipeline)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (troubles.Refusing(gets=1000), "503"),
        (troubles.Refusing(status=429, gets=1000), "429"),
        (troubles.Refusing(gets=1000, retry_after="3600"), "asks to be left alone until"),
        (troubles.Slow(), "comes too slowly"),
    ],
    ids=["503", "429", "503 for an hour", "slow"],
)
def test_a_source_that_does_not_serve_is_temporary(open_pipeline: OpenPipeline, trouble: Trouble, told: str) -> None:
    pipeline = open_pipeline(1, {recent_hours(1)[0]: trouble}, **SOON)
    ended = pipeline.ingest()
    assert ended.code == 75, ended.output
    (failure,) = pipeline.failures()
    assert (failure.kind, failure.error_type, failure.evidence) == ("failed", "SourceUnavailable", None)
    assert told in failure.error
    assert pipeline.generations("ingested") == {}
    assert pipeline.keys("raw/") == pipeline.keys("quarantine/") == []
    pipeline.server.heal(pipeline.server.hours[0])
    assert_heals(pipeline)


class RefusingAtFirst(troubles.Refusing):
    """The first requests of any kind, so that the HEAD that asks whether the hour is published may pass in the end."""

    def reply(self, reply: Reply, asked: Asked) -> Reply:
        return super().reply(reply, replace(asked, gets=asked.asks))


@pytest.mark.parametrize(
    "trouble",
    [
        troubles.CutConnection(gets=2),
        RefusingAtFirst(gets=1),
        RefusingAtFirst(status=429, gets=2, retry_after=None),
        troubles.Slow(bytes_per_second=20_000),
    ],
    ids=["cut twice", "503 once", "429 twice", "slow but steady"],
)
def test_what_passes_soon_is_overcome_in_the_same_run(open_pipeline: OpenPipeline, trouble: Trouble) -> None:
    pipeline = open_pipeline(1, {recent_hours(1)[0]: trouble})
    ended = pipeline.ingest()
    assert ended.code == 0, ended.output
    assert pipeline.ledger() == whole(pipeline.server.hours)
    assert pipeline.failures() == []


def test_a_cut_download_goes_on_where_it_was_cut(open_pipeline: OpenPipeline) -> None:
    hour = recent_hours(1)[0]
    pipeline = open_pipeline([hour], {hour: troubles.CutConnection(gets=1)})
    assert pipeline.ingest().code == 0
    gets = [seen for seen in pipeline.server.requests if seen.method == "GET" and seen.path.endswith(".gz")]
    assert [seen.status for seen in gets] == [200, 206]
    assert gets[0].path.endswith(pageviews_path(hour))


def test_an_unpublished_hour_waits_then_is_late_and_never_fails(open_pipeline: OpenPipeline) -> None:
    first, newest = recent_hours(2)
    pipeline = open_pipeline([first, newest], {newest: troubles.Missing()}, **SOON)
    waiting = pipeline.ingest()
    assert waiting.code == 0, waiting.output
    assert pipeline.failures() == []
    late = pipeline.ingest(PAGEVIEWS_SLA="1s")
    assert late.code == 0, late.output
    (failure,) = pipeline.failures()
    assert (failure.hour, failure.kind) == (newest, "unpublished")
    assert all(outcome.outcome != "failed" for run in pipeline.runs() for outcome in run.hours)
    assert pipeline.ingest("hour", str(newest)).code == 75
    pipeline.server.heal(newest)
    assert_heals(pipeline)


def test_bad_lines_are_counted_and_kept_and_the_rest_is_loaded(open_pipeline: OpenPipeline) -> None:
    hour, bad = recent_hours(1)[0], WithBadLines()
    pipeline = open_pipeline([hour], {hour: bad}, PAGEVIEWS_MAX_REJECTED_SHARE="0.05")
    assert pipeline.ingest().code == 0
    assert pipeline.ledger() == pipeline.counts("raw_wikipedia_pageviews") == whole([hour], bad=bad)
    marker = pipeline.ingested(hour)
    assert marker.rows.rejected == bad.rejected
    assert marker.rows.lines == marker.rows.loaded + marker.rows.rejected
    assert marker.objects.quarantine is not None
    assert kept_lines(pipeline, marker.objects.quarantine) == sorted(
        line.line for line in BAD_LINES if line.views is None
    )
    assert (marker.control.state, marker.control.differing_domains > 0) == ("differs", True)


def test_too_many_bad_lines_fail_the_hour_which_the_setting_allows(open_pipeline: OpenPipeline) -> None:
    hour, bad = recent_hours(1)[0], WithBadLines()
    pipeline = open_pipeline([hour], {hour: bad}, **SOON)
    ended = pipeline.ingest()
    assert ended.code == 0, ended.output
    (failure,) = pipeline.failures()
    assert failure.error_type == "TooManyRejects"
    assert f"{bad.rejected} of " in failure.error
    assert "PAGEVIEWS_MAX_REJECTED_SHARE" in failure.error
    assert failure.evidence is not None
    assert len(kept_lines(pipeline, failure.evidence)) == bad.rejected
    assert pipeline.generations("ingested") == {}
    assert pipeline.keys("landing/") == []
    assert not pipeline.database.exists()
    assert pipeline.ingest("hour", str(hour)).code == 75
    assert pipeline.ingest("hour", str(hour), PAGEVIEWS_MAX_REJECTED_SHARE="0.05").code == 0
    assert pipeline.ledger() == whole([hour], bad=bad)
    assert pipeline.failures() == []


def kept_lines(pipeline: Pipeline, key: str) -> list[bytes]:
    kept = [json.loads(line) for line in pipeline.store.get(key)[0].splitlines()]
    assert all(line["reason"] for line in kept)
    assert len({line["offset"] for line in kept}) == len(kept)
    return sorted(base64.b64decode(line["line_base64"]) for line in kept)


def test_a_failing_hour_holds_up_no_other_and_pauses_longer_each_time(open_pipeline: OpenPipeline) -> None:
    first, newest = recent_hours(2)
    pipeline = open_pipeline([first, newest], {first: troubles.WrongCrc()}, PAGEVIEWS_RETRY_AFTER="10m")
    assert pipeline.ingest().code == 0
    assert pipeline.ingest().event("tick_finished")["outcome"] == "idle"
    assert pipeline.ingest("hour", str(first), **only(first)).code == 75
    pauses = [failure.next_try_at - failure.at for failure in pipeline.failures()]
    assert [round(pause.total_seconds() / 600) for pause in pauses] == [1, 2]
    assert pipeline.failures()[0].failing_since == pipeline.failures()[1].failing_since
