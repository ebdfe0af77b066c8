"""One line of a log, as people and programs read it."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json

from status_api.queries.answers import Answer

LONGEST = 8_192
"""Characters of a line's text; what is cut is marked."""
_CUT = " […]"
_OWN = {"event", "level", "time", "step", "model", "hour", "service", "run_id", "text"}
_RANKS = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}


class LogLine(Answer):
    number: int
    """From 1: the line's permanent address in this run."""
    time: str | None
    level: str
    event: str
    step: str | None
    model: str | None
    hour: str | None
    text: str
    """The rest, for a person: `key=value` pairs, or the event's own text."""
    fields: dict[str, Any]


def rank(level: str) -> int:
    """Higher is worse; an unknown level counts as info."""
    return _RANKS.get(level, 1)


def parse_line(number: int, raw: bytes) -> LogLine:
    """What is no JSON object is shown as text."""
    try:
        content = from_json(raw)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        text = raw.decode(errors="replace")
        return LogLine(
            number=number,
            time=None,
            level="info",
            event="",
            step=None,
            model=None,
            hour=None,
            text=_cut(text),
            fields={},
        )
    rest = {name: value for name, value in content.items() if name not in _OWN}
    words = [str(content["text"])] if content.get("text") else []
    words += [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in rest.items()]
    return LogLine(
        number=number,
        time=_text(content, "time"),
        level=_text(content, "level") or "info",
        event=_cut(_text(content, "event") or ""),
        step=_text(content, "step"),
        model=_text(content, "model"),
        hour=_text(content, "hour"),
        text=_cut(" ".join(words)),
        fields=rest if len(raw) <= LONGEST else {},
    )


def _text(content: dict[str, Any], name: str) -> str | None:
    value = content.get(name)
    return None if value is None else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + _CUT
