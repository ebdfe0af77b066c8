"""One message, as a CloudEvent or as Slack takes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from status_api.queries.problems import Problem

_HOURS_NAMED = 100
EVENT_TYPE = "org.wikipedia-pageviews.problem"


@dataclass(frozen=True)
class Message:
    id: str
    """The same for the same message, however often it is sent."""
    state: Literal["firing", "resolved"]
    cause: str
    title: str
    since: datetime
    at: datetime
    problem: Problem | None
    """None: it is over."""


def as_cloud_event(message: Message, page_url: str) -> bytes:
    """CloudEvents 1.0 in its JSON format (`application/cloudevents+json`)."""
    problem = message.problem
    event = {
        "specversion": "1.0",
        "id": message.id,
        "source": page_url or "urn:wikipedia-pageviews",
        "type": f"{EVENT_TYPE}.{message.state}",
        "subject": message.cause,
        "time": _text(message.at),
        "datacontenttype": "application/json",
        "data": {
            "state": message.state,
            "cause": message.cause,
            "title": message.title,
            "since": _text(message.since),
            "severity": problem.severity if problem else None,
            "detail": problem.detail if problem else None,
            "remedy": problem.remedy if problem else None,
            "hours": [str(hour) for hour in problem.hours[:_HOURS_NAMED]] if problem else [],
            "hour_count": len(problem.hours) if problem else 0,
            "retry_at": _text(problem.retry_at) if problem and problem.retry_at else None,
            "link": _link(message, page_url),
        },
    }
    return json.dumps(event, ensure_ascii=False).encode()


def as_slack(message: Message, page_url: str) -> bytes:
    """For an incoming webhook; what comes from data is escaped, so that it can name or link nobody."""
    if message.problem is None:
        lines = [f":white_check_mark: No longer: {_escaped(message.title)}"]
    else:
        sign = ":red_circle:" if message.problem.severity == "error" else ":large_yellow_circle:"
        lines = [
            f"{sign} *{_escaped(message.title)}*",
            _escaped(message.problem.detail),
            _escaped(message.problem.remedy),
        ]
    if link := _link(message, page_url):
        lines.append(f"<{link}|Open the page>")
    return json.dumps({"text": "\n".join(filter(None, lines))}, ensure_ascii=False).encode()


def _link(message: Message, page_url: str) -> str | None:
    if not page_url:
        return None
    problem = message.problem
    if problem and problem.hours:
        return f"{page_url}/hours/{problem.hours[0]}"
    return f"{page_url}/runs/{problem.run}" if problem and problem.run else f"{page_url}/"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
