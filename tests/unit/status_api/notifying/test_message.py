from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from tests.samples import AT

from pageviews_core.hour import Hour
from status_api.notifying.message import Message, as_cloud_event, as_slack
from status_api.queries.problems import Problem

HOURS = tuple(Hour.parse(f"2026-11-{day:02}T05") for day in range(20, 0, -1))
PROBLEM = Problem(
    cause="failed:SourceCorrupt", severity="error", title="20 hours failed: SourceCorrupt", detail="<!channel> & more",
    remedy="Wait.", hours=HOURS, since=AT, retry_at=AT, run="RUN",
)  # fmt: skip
FIRING = Message(
    "01-firing", "firing", PROBLEM.cause, PROBLEM.title, AT, datetime(2026, 11, 20, 10, tzinfo=UTC), PROBLEM
)
OVER = replace(FIRING, id="01-resolved", state="resolved", problem=None)


def test_it_is_a_cloud_event() -> None:
    body = as_cloud_event(FIRING, "https://pageviews.example.org")
    event = from_structured_event(HTTPMessage({"content-type": "application/cloudevents+json"}, body))
    assert event.get_id() == "01-firing"
    assert event.get_type() == "org.wikipedia-pageviews.problem.firing"
    assert event.get_source() == "https://pageviews.example.org"
    assert event.get_subject() == PROBLEM.cause
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["link"] == "https://pageviews.example.org/hours/2026-11-20T05"
    assert (data["hour_count"], data["hours"][0], data["severity"]) == (20, "2026-11-20T05", "error")


def test_the_end_is_one_too_and_a_page_without_an_address_is_not_linked() -> None:
    event = json.loads(as_cloud_event(OVER, ""))
    assert event["type"].endswith(".resolved")
    assert (event["source"], event["data"]["link"]) == ("urn:wikipedia-pageviews", None)


def test_slack_is_told_in_words_that_name_nobody() -> None:
    text = json.loads(as_slack(FIRING, "https://pageviews.example.org"))["text"]
    assert text.splitlines() == [
        ":red_circle: *20 hours failed: SourceCorrupt*",
        "&lt;!channel&gt; &amp; more",
        "Wait.",
        "<https://pageviews.example.org/hours/2026-11-20T05|Open the page>",
    ]
    assert json.loads(as_slack(OVER, ""))["text"] == ":white_check_mark: No longer: 20 hours failed: SourceCorrupt"
