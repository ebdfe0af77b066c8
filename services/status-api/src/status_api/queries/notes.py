"""Acknowledging hours, and the audit trail."""

from __future__ import annotations

from datetime import datetime, timedelta
from sqlite3 import Row
from typing import Literal

from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.records.audit import AuditEntry as AuditRecord
from pageviews_core.records.note import Note as NoteRecord
from status_api.access.actor import Actor
from status_api.queries.answers import Answer, NotFound, Page, UtcTime
from status_api.queries.cursors import cursor_after, position_of
from status_api.queries.hours import Note, note_of, time_of
from status_api.view import View

_LONGEST_TEXT = 2_000


class NoteRefused(ValueError):
    """The text says why, and what is allowed."""


class AuditEntry(Answer):
    id: str
    at: UtcTime
    who: str
    role: str
    address: str | None
    action: str
    """`request.create`, `note.create`, `note.delete`, `schedule.suspend`, `schedule.resume` or `session.create`."""
    target: str
    outcome: str
    """`done`, `refused` or `failed`."""
    detail: str


MOST_HOURS = 1_000
LONGEST = timedelta(days=90)


def add_note(view: View, hours: tuple[Hour, ...], reason: str, until: datetime, actor: Actor) -> tuple[Note, ...]:
    """Audited. Raises NoteRefused for an end that has passed or lies more than 90 days ahead, NotFound for an hour."""
    now = view.now()
    if not now < until <= now + LONGEST:
        raise NoteRefused(f"the end of a note lies within the next {LONGEST.days} days")
    if not reason.strip():
        raise NoteRefused("a note says why")
    if not hours or len(hours) > MOST_HOURS:
        raise NoteRefused(f"a note is on 1 to {MOST_HOURS} hours")
    for hour in hours:
        if not view.index.rows("select 1 from hours where hour = ?", str(hour)):
            raise NotFound(f"{hour} is no hour of this pipeline")
    write_audit(view, actor, "note.create", _named(hours), detail=f"until {until:%Y-%m-%dT%H:%M:%SZ}: {reason}")
    notes = []
    for hour in hours:
        note = NoteRecord(id=str(ULID()), hour=hour, who=actor.name, reason=reason, created_at=now, until=until)
        view.journal.create(keys.note(hour, note.id), note)
        notes.append(Note(**note.model_dump(exclude={"schema_version"})))
    view.index.refresh()
    return tuple(notes)


def delete_note(view: View, note_id: str, actor: Actor) -> None:
    """Audited. Raises NotFound."""
    found = view.index.rows("select hour from notes where id = ?", note_id)
    if not found:
        raise NotFound(f"there is no note {note_id}")
    hour = Hour.parse(found[0]["hour"])
    write_audit(view, actor, "note.delete", f"{hour}/{note_id}")
    view.journal.delete(keys.note(hour, note_id))
    view.index.refresh()


def list_notes(view: View, *, limit: int = 100, cursor: str | None = None) -> Page[Note]:
    """Newest first. Raises BadCursor."""
    question = ["notes"]
    before = position_of(question, cursor)[0] if cursor else "~"
    rows = view.index.rows("select * from notes where id < ? order by id desc limit ?", before, limit + 1)
    items = tuple(note_of(row) for row in rows[:limit])
    return Page(items=items, next_cursor=cursor_after(question, items[-1].id) if len(rows) > limit else None)


def write_audit(
    view: View,
    actor: Actor,
    action: str,
    target: str,
    *,
    outcome: Literal["done", "refused", "failed"] = "done",
    detail: str = "",
) -> None:
    """Creates `audit/<day>/<ulid>.json`; to be called before the change that it is about."""
    now = view.now()
    entry = AuditRecord(
        id=str(ULID.from_datetime(now)),
        at=now,
        who=actor.name,
        role=actor.role,
        address=actor.address,
        action=action,
        target=target[:_LONGEST_TEXT],
        outcome=outcome,
        detail=detail[:_LONGEST_TEXT],
    )
    view.journal.create(keys.audit(entry.id), entry)


def list_audit(
    view: View,
    *,
    who: str | None = None,
    action: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    with_addresses: bool = True,
) -> Page[AuditEntry]:
    """Newest first. Raises BadCursor. Where people came from is not for everybody who may look."""
    question = ["audit", who, action]
    before = position_of(question, cursor)[0] if cursor else "~"
    rows = view.index.rows(
        "select * from audit where id < ? and (? is null or who = ?) and (? is null or action = ?) "
        "order by id desc limit ?",
        before, who, who, action, action, limit + 1,
    )  # fmt: skip
    items = tuple(_entry(row, with_address=with_addresses) for row in rows[:limit])
    return Page(items=items, next_cursor=cursor_after(question, items[-1].id) if len(rows) > limit else None)


def _entry(row: Row, *, with_address: bool) -> AuditEntry:
    hidden = {} if with_address else {"address": None}
    return AuditEntry(**{**dict(row), "at": time_of(row["at"]), **hidden})


def _named(hours: tuple[Hour, ...]) -> str:
    """`2026-11-20T09`, or the first and the last of several."""
    return str(hours[0]) if len(hours) == 1 else f"{min(hours)} to {max(hours)} ({len(hours)} hours)"
