"""Hours: many at a glance, and one with all that is known of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from sqlite3 import Row
from typing import TypeVar

from pageviews_core import keys
from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour, hour_range
from pageviews_core.object_store.base import ObjectNotFound
from pageviews_core.records.base import Record
from pageviews_core.records.failure import Failure
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from status_api.queries.answers import Answer, HourState, NotFound, Page, UtcTime, Warning_
from status_api.queries.cursors import cursor_after, position_of
from status_api.view import View

USUALLY_PUBLISHED_AFTER = timedelta(minutes=45)
"""After the end of the hour, where nothing goes wrong at the source."""
_MOST_RUNS = 50
_MOST_OBJECTS = 200
_MOST_OF_A_KIND = 20
R = TypeVar("R", bound=Record)


class Note(Answer):
    id: str
    hour: Hour
    who: str
    reason: str
    created_at: UtcTime
    until: UtcTime


class HourSummary(Answer):
    hour: Hour
    state: HourState
    warnings: tuple[Warning_, ...]
    acknowledged_until: UtcTime | None
    generation: int | None
    """Of the newest ingested marker."""
    rows: int | None
    views: int | None
    rejected: int | None
    bytes: int | None
    ingested_at: UtcTime | None
    transformed_at: UtcTime | None
    failed_stage: str | None
    failing_since: UtcTime | None
    attempt: int | None
    next_try_at: UtcTime | None
    error_type: str | None
    error: str | None
    running_run: str | None
    last_run: str | None
    """The newest run that had to do with the hour."""


class RunOfHour(Answer):
    run: str
    job: str
    state: str
    outcome: str
    generation: int | None
    detail: str | None
    started_at: UtcTime


class HourObject(Answer):
    key: str
    bytes: int
    modified_at: UtcTime


class HourDetail(Answer):
    summary: HourSummary
    expected_at: UtcTime
    """When the source usually publishes it."""
    ingested: tuple[IngestedMarker, ...]
    """Every generation, newest first."""
    transformed: tuple[TransformedMarker, ...]
    failures: tuple[Failure, ...]
    """Every attempt since the last success, newest first."""
    runs: tuple[RunOfHour, ...]
    """Newest first, at most 50."""
    objects: tuple[HourObject, ...]
    """raw, landing, quarantine."""
    notes: tuple[Note, ...]
    unreadable: tuple[str, ...]
    """Keys of objects of the hour that this version cannot read, with the reason."""


class DaySummary(Answer):
    day: date
    hours: dict[HourState, int]
    warned: int
    rows: int
    views: int | None
    """None where an hour is missing: the day's sum is not known."""
    views_so_far: int


def list_hours(
    view: View,
    *,
    since: Hour | None = None,
    until: Hour | None = None,
    states: Collection[HourState] = (),
    warning: Warning_ | None = None,
    any_warning: bool = False,
    newest_first: bool = True,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[HourSummary]:
    """Half open: since <= hour < until. Raises BadCursor."""
    question = ["hours", since, until, sorted(states), warning, any_warning, newest_first]
    conditions: list[str] = []
    values: list[object] = []

    def where(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if since:
        where("hour >= ?", str(since))
    if until:
        where("hour < ?", str(until))
    if states:
        where(f"state in ({', '.join('?' * len(states))})", *states)
    if warning:
        where("warnings <> '' and ' ' || warnings || ' ' like ?", f"% {warning} %")
    if any_warning:
        where("warnings <> ''")
    if cursor:
        where(f"hour {'<' if newest_first else '>'} ?", position_of(question, cursor)[0])
    rows = view.index.rows(
        f"select * from hours {_where(conditions)} order by hour {'desc' if newest_first else 'asc'} limit ?",
        *values,
        limit + 1,
    )
    items = tuple(summary_of(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next_cursor=cursor_after(question, str(items[-1].hour)) if more else None)


def read_hour(view: View, hour: Hour) -> HourDetail:
    """For any hour, also one that nothing is known of but that it was expected. Raises NotFound for an hour before the
    start or after the newest that has ended."""
    found = view.index.rows("select * from hours where hour = ?", str(hour))
    if not found:
        raise NotFound(f"{hour} is no hour of this pipeline: before its start, or not over yet")
    failures: list[Failure] = []
    unreadable: list[str] = []
    for stage in ("ingested", "transformed"):
        failures += _records(view, f"failures/{stage}/{hour.path}/", Failure, unreadable)
    objects = [
        HourObject(key=info.key, bytes=info.size, modified_at=info.modified_at)
        for kind in (keys.RAW, keys.LANDING, keys.QUARANTINE)
        for info in _first(view.store.list(f"{kind}{hour.path}/"), _MOST_OBJECTS)
    ]
    return HourDetail(
        summary=summary_of(found[0]),
        expected_at=hour.ended_at + USUALLY_PUBLISHED_AFTER,
        ingested=tuple(_records(view, _markers("ingested", hour), IngestedMarker, unreadable)),
        transformed=tuple(_records(view, _markers("transformed", hour), TransformedMarker, unreadable)),
        failures=tuple(sorted(failures, key=lambda failure: failure.at, reverse=True)),
        runs=_runs_of(view, hour),
        objects=tuple(objects),
        notes=notes_of(view, hour),
        unreadable=tuple(unreadable),
    )


def notes_of(view: View, hour: Hour) -> tuple[Note, ...]:
    """Newest first."""
    rows = view.index.rows("select * from notes where hour = ? order by id desc", str(hour))
    return tuple(note_of(row) for row in rows)


def note_of(row: Row) -> Note:
    return Note(
        id=row["id"], hour=Hour.parse(row["hour"]), who=row["who"], reason=row["reason"],
        created_at=time_of(row["created_at"]), until=time_of(row["until"]),
    )  # fmt: skip


def grid(view: View, last_day: date, days: int) -> list[tuple[date, list[HourSummary | None]]]:
    """Newest day first, 24 hours each; None for an hour that is not expected (before the start, or still to come)."""
    first = last_day - timedelta(days=days - 1)
    rows = view.index.rows("select * from hours where hour >= ? and hour < ?", f"{first}T00", f"{last_day}T24")
    known = {row["hour"]: row for row in rows}
    found = []
    for back in range(days):
        day = last_day - timedelta(days=back)
        cells = [known.get(f"{day}T{number:02d}") for number in range(24)]
        found.append((day, [summary_of(row) if row else None for row in cells]))
    return found


def calendar(view: View, first: date, last: date) -> list[DaySummary]:
    """The days that have an hour, newest first; first and last are included."""
    rows = view.index.rows(
        "select substr(hour, 1, 10) as day, state, count(*) as hours, sum(warnings <> '') as warned, "
        "sum(coalesce(rows, 0)) as rows, sum(coalesce(views, 0)) as views, sum(views is null) as unknown "
        "from hours where hour >= ? and hour < ? group by 1, 2 order by 1 desc",
        f"{first}T00",
        f"{last}T24",
    )
    days: dict[str, list[Row]] = {}
    for row in rows:
        days.setdefault(row["day"], []).append(row)
    return [_day(day, found) for day, found in days.items()]


def _day(day: str, rows: list[Row]) -> DaySummary:
    views = sum(row["views"] for row in rows)
    whole = sum(row["hours"] for row in rows) == 24 and not any(row["unknown"] for row in rows)
    return DaySummary(
        day=date.fromisoformat(day),
        hours={row["state"]: row["hours"] for row in rows},
        warned=sum(row["warned"] for row in rows),
        rows=sum(row["rows"] for row in rows),
        views=views if whole else None,
        views_so_far=views,
    )


def summary_of(row: Row) -> HourSummary:
    return HourSummary(
        hour=Hour.parse(row["hour"]),
        state=row["state"],
        warnings=tuple(row["warnings"].split()),
        acknowledged_until=time_or_none(row["acknowledged_until"]),
        generation=row["ingested_generation"],
        rows=row["rows"],
        views=row["views"],
        rejected=row["rejected"],
        bytes=row["bytes"],
        ingested_at=time_or_none(row["ingested_at"]),
        transformed_at=time_or_none(row["transformed_at"]),
        failed_stage=row["failed_stage"],
        failing_since=time_or_none(row["failing_since"]),
        attempt=row["attempt"],
        next_try_at=time_or_none(row["next_try_at"]),
        error_type=row["error_type"],
        error=row["error"],
        running_run=row["running_run"],
        last_run=row["running_run"] or row["failed_run"] or row["transformed_run"] or row["ingested_run"],
    )


def time_of(text: str) -> datetime:
    """A time of the index."""
    return datetime.fromisoformat(text).astimezone(UTC)


def time_or_none(text: str | None) -> datetime | None:
    return time_of(text) if text else None


def hours_between(first: Hour, last: Hour) -> list[Hour]:
    """Both included."""
    return list(hour_range(first, last + 1))


def _where(conditions: list[str]) -> str:
    return f"where {' and '.join(conditions)}" if conditions else ""


def _markers(stage: Stage, hour: Hour) -> str:
    return f"{keys.markers(stage)}{hour.path}/"


def _records(view: View, prefix: str, record: type[R], unreadable: list[str]) -> Iterator[R]:
    """Newest first, by their keys."""
    listed = [info.key for info in view.store.list(prefix)]
    for key in _first(sorted(listed, key=_number_last, reverse=True), _MOST_OF_A_KIND):
        try:
            yield record.decode(view.store.get(key)[0], key)
        except ObjectNotFound:
            continue
        except UnknownSchemaVersion as exc:
            unreadable.append(f"{key}: {exc}")


def _number_last(key: str) -> tuple[int, str]:
    """Generations are not zero-padded: 10 comes after 9."""
    name = key.rsplit("/", 1)[1].removesuffix(".json")
    return (int(name) if name.isdecimal() else 0, key)


def _runs_of(view: View, hour: Hour) -> tuple[RunOfHour, ...]:
    rows = view.index.rows(
        "select run, job, state, outcome, generation, detail, started_at from run_hours join runs on runs.id = run "
        "where hour = ? order by run desc limit ?",
        str(hour),
        _MOST_RUNS,
    )
    return tuple(
        RunOfHour(
            run=row["run"], job=row["job"], state=row["state"], outcome=row["outcome"], generation=row["generation"],
            detail=row["detail"], started_at=time_of(row["started_at"]),
        )
        for row in rows
    )  # fmt: skip


T = TypeVar("T")


def _first(items: Iterator[T] | list[T], count: int) -> list[T]:
    return [item for item, _ in zip(items, range(count), strict=False)]
