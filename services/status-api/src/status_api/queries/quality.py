"""How good the hours are: rejected lines, control totals, dbt's tests, and each generation against the one before."""

from __future__ import annotations

from sqlite3 import Row

from pydantic import TypeAdapter

from pageviews_core.hour import Hour
from pageviews_core.records.marker import ControlDifference
from status_api.queries.answers import Answer, UtcTime
from status_api.queries.hours import HourSummary, list_hours, time_of, time_or_none
from status_api.view import View

_DIFFERENCES = TypeAdapter(tuple[ControlDifference, ...])
_NAMES = TypeAdapter(tuple[str, ...])


class RejectedLines(Answer):
    hour: Hour
    lines: int
    rejected: int
    share: float
    """Of the lines, 0 to 1."""


class ControlResult(Answer):
    hour: Hour
    control: str
    """`differs`, or `unavailable`: the source has no control file of the hour."""
    differing_domains: int
    largest: tuple[ControlDifference, ...]
    """Those that differ most."""


class WarnedTests(Answer):
    hour: Hour
    tests: tuple[str, ...]
    """Names of dbt's tests."""
    run: str | None


class Generation(Answer):
    """A later generation of an hour, which is of another file, and (`_before`) the one before it."""

    hour: Hour
    generation: int
    before: int | None
    """The generation compared with; null, as all of its figures, where its marker is gone."""
    rows: int
    rows_before: int | None
    views: int
    views_before: int | None
    rejected: int
    rejected_before: int | None
    bytes: int
    bytes_before: int | None
    control: str
    control_before: str | None
    test_warnings: tuple[str, ...] | None
    """dbt's tests that warned; null until it is built."""
    test_warnings_before: tuple[str, ...] | None
    ingested_at: UtcTime
    ingested_run: str
    transformed_at: UtcTime | None
    """Null until it is built."""
    transformed_run: str | None


class Quality(Answer):
    """Each list newest hour first."""

    warned: tuple[HourSummary, ...]
    rejected: tuple[RejectedLines, ...]
    control: tuple[ControlResult, ...]
    tests: tuple[WarnedTests, ...]
    generations: tuple[Generation, ...]


def read_quality(view: View, *, since: Hour | None = None, until: Hour | None = None, limit: int = 100) -> Quality:
    """Half open: since <= hour < until; at most `limit` of each list."""
    between = (str(since) if since else "", str(until) if until else "~", limit)
    rejected = view.index.rows(
        "select hour, lines, rejected from hours where rejected > 0 and hour >= ? and hour < ? "
        "order by hour desc limit ?",
        *between,
    )
    control = view.index.rows(
        "select hour, hours.control_state, hours.differing_domains, differences from hours "
        "join generations using (hour) where generation = ingested_generation "
        "and hours.control_state in ('differs', 'unavailable') and hour >= ? and hour < ? order by hour desc limit ?",
        *between,
    )
    tests = view.index.rows(
        "select hour, test_warnings, transformed_run from hours where test_warnings is not null "
        "and hour >= ? and hour < ? order by hour desc limit ?",
        *between,
    )
    return Quality(
        warned=list_hours(view, since=since, until=until, any_warning=True, limit=limit).items,
        rejected=tuple(
            RejectedLines(
                hour=Hour.parse(row["hour"]), lines=row["lines"], rejected=row["rejected"],
                share=row["rejected"] / row["lines"],
            )
            for row in rejected
        ),
        control=tuple(
            ControlResult(
                hour=Hour.parse(row["hour"]), control=row["control_state"], differing_domains=row["differing_domains"],
                largest=_DIFFERENCES.validate_json(row["differences"] or "[]"),
            )
            for row in control
        ),
        tests=tuple(
            WarnedTests(
                hour=Hour.parse(row["hour"]), tests=_NAMES.validate_json(row["test_warnings"]),
                run=row["transformed_run"],
            )
            for row in tests
        ),
        generations=_generations(view, *between),
    )  # fmt: skip


def _generations(view: View, since: str, until: str, limit: int) -> tuple[Generation, ...]:
    figures = ("rows", "views", "rejected", "bytes", "control_state", "test_warnings", "transformed_at")
    before = ", ".join(f"old.{name} as {name}_before" for name in ("generation", *figures))
    rows = view.index.rows(
        f"select new.*, {before} from generations as new left join generations as old "
        "on old.hour = new.hour and old.generation = (select max(generation) from generations as each "
        "where each.hour = new.hour and each.generation < new.generation and each.ingested_at is not null) "
        "where new.generation > 1 and new.ingested_at is not null and new.hour >= ? and new.hour < ? "
        "order by new.hour desc, new.generation desc limit ?",
        since, until, limit,
    )  # fmt: skip
    return tuple(_generation(row) for row in rows)


def _generation(row: Row) -> Generation:
    return Generation(
        hour=Hour.parse(row["hour"]), generation=row["generation"], before=row["generation_before"],
        rows=row["rows"], rows_before=row["rows_before"], views=row["views"], views_before=row["views_before"],
        rejected=row["rejected"], rejected_before=row["rejected_before"],
        bytes=row["bytes"], bytes_before=row["bytes_before"],
        control=row["control_state"], control_before=row["control_state_before"],
        test_warnings=_warned(row["transformed_at"], row["test_warnings"]),
        test_warnings_before=_warned(row["transformed_at_before"], row["test_warnings_before"]),
        ingested_at=time_of(row["ingested_at"]), ingested_run=row["ingested_run"],
        transformed_at=time_or_none(row["transformed_at"]), transformed_run=row["transformed_run"],
    )  # fmt: skip


def _warned(built_at: str | None, names: str | None) -> tuple[str, ...] | None:
    return _NAMES.validate_json(names or "[]") if built_at else None
