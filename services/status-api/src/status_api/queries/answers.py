"""What all answers are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

UtcTime = Annotated[
    datetime, PlainSerializer(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"), when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]  # fmt: skip
"""UTC, to the second."""

HourState = Literal["complete", "ingested", "running", "waiting", "late", "failed", "missing", "absent", "expired"]
Warning_ = Literal["rejected_lines", "control_differs", "restatement_pending", "test_warned", "views_unusual"]
RunState = Literal["running", "succeeded", "failed", "stopped", "lost"]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


A = TypeVar("A", bound=BaseModel)


class Page(Answer, Generic[A]):
    items: tuple[A, ...]
    next_cursor: str | None
    """For the `cursor` of the next page; null on the last."""


class NotFound(Exception):
    """What was asked for does not exist; the text says what."""


class BadCursor(Exception):
    """The cursor was not made by this question."""


class NoTable(Exception):
    """The answer holds no such table; the text says which there are."""
