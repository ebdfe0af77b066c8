"""Objects of the store as rows of the index: one function for each kind of key."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.records.audit import AuditEntry
from pageviews_core.records.control import Schedules, Settled, Start, Tick
from pageviews_core.records.end import End
from pageviews_core.records.failure import Failure
from pageviews_core.records.housekeeping import Housekeeping
from pageviews_core.records.marker import ControlDifference, IngestedMarker, TransformedMarker
from pageviews_core.records.note import Note
from pageviews_core.records.published import PublishedIndex
from pageviews_core.records.request import ClosedRequest, Request
from status_api.index.run_rows import RunRows, rows_of

_RUN = re.compile(r"runs/\d{4}/\d\d/\d\d/([0-9A-HJKMNP-TV-Z]{26})/run\.json")
_INGESTED = (
    "ingested_generation", "lines", "rows", "rejected", "views", "bytes", "control_state", "differing_domains",
    "source_last_modified", "ingested_at", "ingested_run", "ingest_seconds", "ingest_credits",
)  # fmt: skip
"""The columns of an hour that its ingested marker fills."""
_GENERATION_INGESTED = (
    "rows", "views", "rejected", "bytes", "control_state", "differences", "ingested_at", "ingested_run",
)  # fmt: skip
_GENERATION_TRANSFORMED = ("transformed_at", "transformed_run", "test_warnings")
_DIFFERENCES = TypeAdapter(tuple[ControlDifference, ...])
_ERROR_KEPT = 2_000


def text_of(at: datetime) -> str:
    """Sorts as the time does."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Touched:
    """What a batch of writes makes it necessary to look at again."""

    hours: set[str]
    runs: bool = False
    anything: bool = False


class Writer:
    """Of one transaction. A body of None says that the object is gone."""

    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        self._db = db
        self._now = now
        self._runs: dict[str, RunRows] = {}
        self._unreadable = {row[0] for row in db.execute("select key from unreadable")}
        self.touched = Touched(set())

    def write(self, key: str, body: bytes | None) -> None:
        """Raises UnknownSchemaVersion for what this version cannot read, and ValueError for a key that is no key of its
        kind; both leave the index as it was. Keys of other kinds are passed over."""
        for prefix, method in _KINDS:
            if key.startswith(prefix):
                method(self, key, body)
                return

    def unreadable(self, key: str, reason: str) -> None:
        self._db.execute(
            "insert or replace into unreadable values (?, ?, ?)", (key, reason[:_ERROR_KEPT], text_of(self._now))
        )
        self._unreadable.add(key)
        self.touched.anything = True

    def readable(self, key: str) -> None:
        if key in self._unreadable:
            self._db.execute("delete from unreadable where key = ?", (key,))
            self._unreadable.discard(key)
            self.touched.anything = True

    def meta(self, name: str, value: str | None) -> None:
        found = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if found is None or found[0] != value:
            self._db.execute("insert or replace into meta values (?, ?)", (name, value))
            self.touched.anything = True

    def ingested(self, marker: IngestedMarker) -> None:
        hour = self._hour(marker.hour)
        differences = (
            _DIFFERENCES.dump_json(marker.control.differences).decode() if marker.control.differences else None
        )
        known = (
            marker.rows.loaded, marker.views, marker.rows.rejected, marker.source.bytes,
            marker.control.state, differences, text_of(marker.finished_at), marker.run_id,
        )  # fmt: skip
        self._generation(hour, marker.generation, _GENERATION_INGESTED, known)
        newest = self._db.execute("select ingested_generation from hours where hour = ?", (hour,)).fetchone()[0]
        if newest is not None and newest > marker.generation:
            return
        values = (
            marker.generation, marker.rows.lines, marker.rows.loaded, marker.rows.rejected, marker.views,
            marker.source.bytes, marker.control.state, marker.control.differing_domains, marker.source.last_modified,
            text_of(marker.finished_at), marker.run_id, (marker.finished_at - marker.started_at).total_seconds(),
            marker.cost.credits if marker.cost else None, hour,
        )  # fmt: skip
        self._db.execute(f"update hours set {_assignments(_INGESTED)} where hour = ?", values)

    def transformed(self, marker: TransformedMarker) -> None:
        hour = self._hour(marker.hour)
        warned = json.dumps(marker.warnings) if marker.warnings else None
        built = (text_of(marker.finished_at), marker.run_id, warned)
        self._generation(hour, marker.generation, _GENERATION_TRANSFORMED, built)
        newest = self._db.execute("select transformed_generation from hours where hour = ?", (hour,)).fetchone()[0]
        if newest is not None and newest > marker.generation:
            return
        self._db.execute(
            "update hours set transformed_generation = ?, transformed_at = ?, transformed_run = ?, "
            "transform_seconds = ?, transform_credits = ?, test_warnings = ? where hour = ?",
            (
                marker.generation, text_of(marker.finished_at), marker.run_id,
                (marker.finished_at - marker.started_at).total_seconds(),
                marker.cost.credits if marker.cost else None, warned, hour,
            ),
        )  # fmt: skip

    def run(self, rows: RunRows) -> None:
        """Written with the others of the transaction, by `flush`."""
        self._runs[rows.run[0]] = rows
        self.touched.runs = self.touched.anything = True

    def flush(self) -> None:
        """To be called at the end of the transaction."""
        ids = [(run_id,) for run_id in self._runs]
        self._db.executemany("delete from run_hours where run = ?", ids)
        marks = ", ".join("?" * 22)
        self._db.executemany(
            f"insert or replace into runs values ({marks})", [rows.run for rows in self._runs.values()]
        )
        self._db.executemany(
            "insert or replace into run_hours values (?, ?, ?, ?, ?)",
            [hour for rows in self._runs.values() for hour in rows.hours],
        )
        self._runs.clear()

    def _hour(self, hour: Hour) -> str:
        text = str(hour)
        self._db.execute("insert or ignore into hours (hour, state) values (?, 'waiting')", (text,))
        self.touched.hours.add(text)
        return text

    def _generation(self, hour: str, generation: int, names: tuple[str, ...], values: tuple[object, ...]) -> None:
        """One stage's columns of it; the other stage's stay."""
        marks = ", ".join("?" * (len(names) + 2))
        self._db.execute(
            f"insert into generations (hour, generation, {', '.join(names)}) values ({marks}) "
            f"on conflict do update set {', '.join(f'{name} = excluded.{name}' for name in names)}",
            (hour, generation, *values),
        )

    def _ingested_object(self, key: str, body: bytes | None) -> None:
        if body is None:
            self._marker_gone(key, "ingested")
        else:
            self.ingested(IngestedMarker.decode(body, key))

    def _transformed_object(self, key: str, body: bytes | None) -> None:
        if body is None:
            self._marker_gone(key, "transformed")
        else:
            self.transformed(TransformedMarker.decode(body, key))

    def _marker_gone(self, key: str, stage: str) -> None:
        hour, generation = keys.parse_marker(key)
        names = _GENERATION_INGESTED if stage == "ingested" else _GENERATION_TRANSFORMED
        self._db.execute(
            f"update generations set {_assignments(names)} where hour = ? and generation = ?",
            (*[None] * len(names), str(hour), generation),
        )
        self._db.execute(
            f"update hours set {stage}_generation = null where hour = ? and {stage}_generation = ?",
            (str(hour), generation),
        )
        self.touched.hours.add(str(hour))

    def _failure_object(self, key: str, body: bytes | None) -> None:
        stage, named = key.split("/", 2)[1], keys.parse_failure(key)
        if body is None:
            self._db.execute(
                "delete from hour_failures where hour = ? and stage = ? and attempt = ?",
                (str(named.hour), stage, named.attempt),
            )
            self.touched.hours.add(str(named.hour))
            return
        failure = Failure.decode(body, key)
        self._db.execute(
            "insert or replace into hour_failures values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._hour(failure.hour), failure.stage, failure.attempt, failure.kind, text_of(failure.failing_since),
                text_of(failure.next_try_at), failure.error_type, failure.error[:_ERROR_KEPT], failure.run_id,
            ),
        )  # fmt: skip

    def _run_object(self, key: str, body: bytes | None) -> None:
        match = _RUN.fullmatch(key)
        if match is None:
            return  # its log or its artifacts: read when somebody asks for them
        if body is None:
            self._runs.pop(match[1], None)
            self._db.execute("delete from runs where id = ?", (match[1],))
            self._db.execute("delete from run_hours where run = ?", (match[1],))
            self.touched.runs = self.touched.anything = True
            return
        self.run(rows_of(body, key))

    def _open_request(self, key: str, body: bytes | None) -> None:
        request_id = key.removeprefix(keys.OPEN_REQUESTS).removesuffix(".json")
        self.touched.anything = True
        if body is None:  # closed, which says its own word, before or after
            self._db.execute("delete from requests where id = ? and outcome is null", (request_id,))
            return
        request = Request.decode(body, key)
        closed = self._db.execute(
            "select 1 from requests where id = ? and outcome is not null", (request.id,)
        ).fetchone()
        if not closed:
            self._request(request, None, None, None)

    def _closed_request(self, key: str, body: bytes | None) -> None:
        self.touched.anything = True
        if body is None:
            request_id = key.removeprefix(keys.CLOSED_REQUESTS).removesuffix(".json")
            self._db.execute("delete from requests where id = ? and outcome is not null", (request_id,))
            return
        closed = ClosedRequest.decode(body, key)
        self._request(closed.request, closed.outcome, len(closed.failed_hours), text_of(closed.closed_at))

    def _request(self, request: Request, outcome: str | None, failed: int | None, closed_at: str | None) -> None:
        hours = sorted(request.hours)
        self._db.execute(
            "insert or replace into requests values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.id, request.kind, len(hours), str(hours[0]) if hours else None,
                str(hours[-1]) if hours else None, int(request.force), json.dumps(request.models), request.cancels,
                request.who, request.why, text_of(request.created_at), outcome, failed, closed_at,
            ),
        )  # fmt: skip

    def _note(self, key: str, body: bytes | None) -> None:
        note_id = key.rsplit("/", 1)[1].removesuffix(".json")
        self._db.execute("delete from notes where id = ?", (note_id,))
        self.touched.hours.add(key.split("/")[1])
        if body is not None:
            note = Note.decode(body, key)
            self._db.execute(
                "insert into notes values (?, ?, ?, ?, ?, ?)",
                (note.id, str(note.hour), note.who, note.reason, text_of(note.created_at), text_of(note.until)),
            )

    def _audit(self, key: str, body: bytes | None) -> None:
        self.touched.anything = True
        entry_id = key.rsplit("/", 1)[1].removesuffix(".json")
        self._db.execute("delete from audit where id = ?", (entry_id,))
        if body is not None:
            entry = AuditEntry.decode(body, key)
            self._db.execute(
                "insert into audit values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.id, text_of(entry.at), entry.who, entry.role, entry.address, entry.action, entry.target,
                    entry.outcome, entry.detail,
                ),
            )  # fmt: skip

    def _end(self, key: str, body: bytes | None) -> None:
        self.touched.anything = True
        self._db.execute("delete from ends where id = ?", (key.rsplit("/", 1)[1].removesuffix(".json"),))
        if body is not None:
            end = End.decode(body, key)
            self._db.execute(
                "insert into ends values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    end.id, end.job, end.job_name, end.pod, end.reason, end.detail, end.exit_code,
                    text_of(end.started_at) if end.started_at else None, text_of(end.at),
                ),
            )  # fmt: skip

    def _published(self, key: str, body: bytes | None) -> None:
        if key != keys.PUBLISHED_INDEX:
            return
        self._db.execute("delete from published")
        self.touched.anything = True
        if body is not None:
            index = PublishedIndex.decode(body, key)
            self._db.executemany(
                "insert into published values (?, ?, ?, ?)",
                [(each.name, each.key, each.sha256, each.bytes) for each in index.objects],
            )
            self.meta("published_generated_at", text_of(index.generated_at))
            self.meta("published_newest_hour", str(index.newest_hour) if index.newest_hour else None)

    def _control(self, key: str, body: bytes | None) -> None:
        if key.startswith("control/ticks/"):
            self._tick(key, body)
        elif key == keys.START:
            self.meta("start_hour", str(Start.decode(body, key).hour) if body else None)
        elif key == keys.SETTLED:
            self.meta("settled_before", str(Settled.decode(body, key).before) if body else None)
        elif key == keys.HOUSEKEEPING:
            before = Housekeeping.decode(body, key).facts_retired_before if body else None
            self.meta("facts_retired_before", str(before) if before else None)
        elif key == keys.SCHEDULES:
            suspended = Schedules.decode(body, key).suspended if body else ()
            self._db.execute("delete from suspended")
            self._db.executemany("insert or ignore into suspended values (?)", [(job,) for job in suspended])
            self.touched.anything = True

    def _tick(self, key: str, body: bytes | None) -> None:
        self.touched.anything = True
        if body is None:
            self._db.execute("delete from ticks where job = ?", (key.rsplit("/", 1)[1].removesuffix(".json"),))
            return
        tick = Tick.decode(body, key)
        self._db.execute(
            "insert or replace into ticks values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tick.job, text_of(tick.at), tick.outcome, tick.owed, tick.run_id, tick.detail, tick.seconds,
                tick.version,
            ),
        )  # fmt: skip


def _assignments(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = ?" for column in columns)


_KINDS: tuple[tuple[str, Callable[[Writer, str, bytes | None], None]], ...] = (
    ("markers/ingested/", Writer._ingested_object),
    ("markers/transformed/", Writer._transformed_object),
    ("runs/", Writer._run_object),
    ("failures/", Writer._failure_object),
    (keys.OPEN_REQUESTS, Writer._open_request),
    (keys.CLOSED_REQUESTS, Writer._closed_request),
    ("notes/", Writer._note),
    ("audit/", Writer._audit),
    (keys.ENDS, Writer._end),
    ("published/", Writer._published),
    ("control/", Writer._control),
)
