"""When each asset was last made, and whether that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from status_api.queries.manifest import FAILED, Builds, Node
from status_api.queries.meta import read_meta
from status_api.view import View

AssetState = Literal["fresh", "stale", "failed", "never_built", "unknown"]

_ROW_PER_LINE = frozenset({"stg_wikipedia_pageviews", "fct_wikipedia_pageviews"})
"""Models with a row for each row of the source, as reconciliation makes sure."""
_RAW = "raw_pageviews"
_HOURLY = timedelta(hours=3)
_DAILY = timedelta(hours=30)

_LOADS = """
select hour, rows, ingested_at, ingested_run, ingest_seconds, source_last_modified
from hours
where ingested_at is not null
order by hour desc
limit ?
"""
_FAILED_SINCE = """
select 1 from hours where hour > ? and failed_stage = 'ingested' and failure_kind = 'failed' limit 1
"""


@dataclass(frozen=True)
class LastBuild:
    """When an asset was last made, and how that stands."""

    state: AssetState
    at: datetime | None = None
    run: str | None = None
    seconds: float | None = None
    rows: int | None = None
    expected: timedelta | None = None


class Freshness:
    """What index and builds know of the assets."""

    def __init__(self, view: View, builds: Builds) -> None:
        self._now = view.now()
        self._builds = builds
        self._load = next(iter(view.index.rows(_LOADS, 1)), None)
        after = self._load["hour"] if self._load else ""
        self._load_failed = bool(view.index.rows(_FAILED_SINCE, after))
        self._published = {row["name"].partition("/")[0] for row in view.index.rows("select name from published")}
        self._meta = read_meta(view)
        complete = view.index.rows("select rows from hours where hour = ?", self._meta.get("newest_complete_hour"))
        self._complete_rows = complete[0]["rows"] if complete else None

    def built(self, node: Node, tests: Iterable[Node]) -> LastBuild:
        expected = None if node.resource_type == "seed" else _DAILY if node.config.unique_key == "date_day" else _HOURLY
        results = self._builds.results.get(node.unique_id)
        if not results:
            return LastBuild("never_built" if self._builds.all_read else "unknown", expected=expected)
        newest_of_tests = [found[0] for test in tests if (found := self._builds.results.get(test.unique_id))]
        failed = any(result.status in FAILED for result in (results[0], *newest_of_tests))
        last = next((result for result in results if result.status not in FAILED), None)
        if last is None:
            return LastBuild("failed", run=results[0].run, seconds=results[0].seconds, expected=expected)
        rows = last.rows
        if rows is None and node.name in _ROW_PER_LINE:
            rows = self._complete_rows
        return LastBuild(
            "failed" if failed else self._age(last.finished_at, expected),
            at=last.finished_at,
            run=results[0].run,
            seconds=last.seconds,
            rows=rows,
            expected=expected,
        )

    def source(self) -> LastBuild:
        """The newest file of the source."""
        if self._load is None:
            return LastBuild("unknown", expected=_HOURLY)
        at = _http_date(self._load["source_last_modified"])
        return LastBuild(
            self._age(at, _HOURLY) if at else "unknown", at=at, run=self._load["ingested_run"], expected=_HOURLY
        )

    def loaded(self, node: Node) -> LastBuild:
        """The ingestor's tables: written together, hour by hour."""
        if self._load is None:
            return LastBuild("failed" if self._load_failed else "never_built", expected=_HOURLY)
        at = datetime.fromisoformat(self._load["ingested_at"])
        return LastBuild(
            "failed" if self._load_failed else self._age(at, _HOURLY),
            at=at,
            run=self._load["ingested_run"],
            seconds=self._load["ingest_seconds"],
            rows=self._load["rows"] if node.name == _RAW else None,
            expected=_HOURLY,
        )

    def published(self, name: str) -> LastBuild:
        generated_at = self._meta.get("published_generated_at")
        if name not in self._published or generated_at is None:
            return LastBuild("never_built", expected=_HOURLY)
        at = datetime.fromisoformat(generated_at)
        return LastBuild(self._age(at, _HOURLY), at=at, expected=_HOURLY)

    def _age(self, at: datetime, expected: timedelta | None) -> AssetState:
        return "stale" if expected and self._now - at > expected else "fresh"


def loads(view: View, limit: int) -> tuple[tuple[datetime, str, float], ...]:
    """When the newest hours were ingested, with `success`, and the seconds that each took; newest first."""
    return tuple(
        (datetime.fromisoformat(row["ingested_at"]), "success", row["ingest_seconds"] or 0.0)
        for row in view.index.rows(_LOADS, limit)
    )


def _http_date(text: str | None) -> datetime | None:
    """A time as HTTP writes it: `Fri, 20 Nov 2026 10:19:04 GMT`."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None
