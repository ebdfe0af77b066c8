"""What follows from the facts in the index: an hour's state, who is at work on it, and the aggregates."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from pageviews_core.hour import Hour
from pageviews_core.lease import LeaseRecord
from status_api.index.states import Delays, Known, state_of, warnings_of
from status_api.index.writing import text_of


def settle_hour(db: sqlite3.Connection, text: str, now: datetime, delays: Delays, expired_before: str) -> bool:
    row = db.execute("select * from hours where hour = ?", (text,)).fetchone()
    if row is None:
        return False
    ingested, transformed = row["ingested_generation"] or 0, row["transformed_generation"] or 0
    owed = "ingested" if not ingested else "transformed"
    failure = db.execute(
        "select * from hour_failures where hour = ? and stage = ? order by attempt desc limit 1", (text, owed)
    ).fetchone()
    if ingested and transformed >= ingested:
        failure = None
    known = Known(
        Hour.parse(text),
        ingested,
        transformed,
        failed=failure is not None and failure["kind"] == "failed",
        unpublished=failure is not None and failure["kind"] == "unpublished",
        running=row["running_run"] is not None,
        expired=text < expired_before,
    )
    complete = bool(ingested) and transformed >= ingested
    week_before = db.execute(
        "select views from hours where hour = ? and state = 'complete'", (str(known.hour + -168),)
    ).fetchone()
    warnings = " ".join(
        warnings_of(
            rejected=row["rejected"] or 0,
            control_state=row["control_state"],
            test_warnings=bool(row["test_warnings"]),
            ingested=ingested,
            transformed=transformed,
            views=row["views"] if complete else None,
            week_before=week_before["views"] if week_before else None,
        )
    )
    noted = db.execute("select max(until) from notes where hour = ? and until > ?", (text, text_of(now))).fetchone()[0]
    columns = ("stage", "kind", "failing_since", "attempt", "next_try_at", "error_type", "error", "run")
    failed = tuple(failure[column] if failure else None for column in columns)
    values = (state_of(known, now, delays), warnings, noted, *failed)
    names = (
        "state", "warnings", "acknowledged_until", "failed_stage", "failure_kind", "failing_since", "attempt",
        "next_try_at", "error_type", "error", "failed_run",
    )  # fmt: skip
    if values == tuple(row[name] for name in names):
        return False
    assignments = ", ".join(f"{name} = ?" for name in names)
    db.execute(f"update hours set {assignments} where hour = ?", (*values, text))
    return True


def set_running(db: sqlite3.Connection, leases: dict[tuple[str, str], LeaseRecord]) -> bool:
    before = {row[0]: (row[1], row[2]) for row in db.execute(
        "select hour, running_stage, running_run from hours where running_run is not null")}  # fmt: skip
    now = {hour: (stage, lease.holder) for (hour, stage), lease in leases.items()}
    for hour in before.keys() - now.keys():
        db.execute("update hours set running_stage = null, running_run = null where hour = ?", (hour,))
        _mark_unsettled(db, hour)
    for hour, (stage, run) in now.items():
        if before.get(hour) != (stage, run):
            db.execute("update hours set running_stage = ?, running_run = ? where hour = ?", (stage, run, hour))
            _mark_unsettled(db, hour)
    return before != now


def _mark_unsettled(db: sqlite3.Connection, hour: str) -> None:
    """So that its state is worked out again in this very transaction."""
    db.execute(
        "update hours set state = 'waiting' where hour = ? and state in ('complete', 'expired', 'absent')", (hour,)
    )


def count_hours(db: sqlite3.Connection) -> None:
    db.execute("delete from hour_states")
    db.execute("insert into hour_states select state, count(*) from hours group by state")
    db.execute("delete from hour_warnings")
    found: dict[str, int] = {}
    for row in db.execute("select warnings, count(*) from hours where warnings <> '' group by warnings"):
        for warning in row[0].split():
            found[warning] = found.get(warning, 0) + row[1]
    db.executemany("insert into hour_warnings values (?, ?)", found.items())
    newest = db.execute("select max(hour) from hours where state = 'complete'").fetchone()[0]
    db.execute("insert or replace into meta values ('newest_complete_hour', ?)", (newest,))


def count_runs(db: sqlite3.Connection) -> None:
    db.execute("delete from run_counts")
    db.execute("insert into run_counts select job, state, trigger, count(*) from runs group by job, state, trigger")
