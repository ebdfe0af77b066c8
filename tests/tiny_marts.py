"""The marts in a small DuckDB, filled by hand: what publishing reads, with the columns of the dbt project's models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import duckdb

from pageviews_core.hour import Hour
from pageviews_core.page_key import page_key
from pageviews_core.warehouse.base import Reader

Views = Mapping[tuple[str, str], int]
"""By project and title; a title with a colon is no article."""

KEPT = 9
KEPT_DAY = 200
TOP = 100

_TABLES = """
create schema wikipedia;
create table wikipedia.dim_hour (
    hour_started_at timestamp, hour_ended_at timestamp, date_day date, hour_of_day integer);
create table wikipedia.fct_wikipedia_pageviews (
    hour_started_at timestamp, generation integer, domain_code varchar, page_key ubigint, view_count bigint);
create table wikipedia.page_views_hourly (
    hour_started_at timestamp, page_key ubigint, project varchar, page_title varchar, page_kind varchar,
    view_count bigint, article_rank integer, is_article boolean);
create table wikipedia.page_views_daily (
    date_day date, page_key ubigint, project varchar, page_title varchar, page_kind varchar, view_count bigint,
    article_rank integer, hours_present integer, is_article boolean);
create table wikipedia.top_pages_hourly (
    hour_started_at timestamp, page_key ubigint, project varchar, page_title varchar, page_rank integer,
    view_count bigint);
create table wikipedia.top_pages_daily (
    date_day date, page_key ubigint, project varchar, page_title varchar, page_rank integer, view_count bigint,
    hours_present integer);
create table wikipedia.top_pages_left_out_hourly (
    hour_started_at timestamp, project varchar, page_kind varchar, view_count bigint, row_count bigint);
create table wikipedia.traffic_by_kind_hourly (
    hour_started_at timestamp, project varchar, access varchar, page_kind varchar, view_count bigint, row_count bigint);
create table wikipedia.traffic_hourly (
    hour_started_at timestamp, project varchar, access varchar, view_count bigint, row_count bigint);
create table wikipedia.trending_pages_hourly (
    hour_started_at timestamp, page_key ubigint, project varchar, page_title varchar, view_count bigint,
    baseline_view_count double, ratio double, baseline_hour_count integer);
create table wikipedia.trending_pages_daily (
    date_day date, page_key ubigint, project varchar, page_title varchar, view_count bigint,
    baseline_view_count double, ratio double, baseline_day_count integer, hours_present integer);
"""


class TinyMarts:
    """A Reader, and a Warehouse as far as publishing needs one. `reads` counts the readings begun."""

    def __init__(self, file: str = ":memory:") -> None:
        self.db = duckdb.connect(file)
        self.db.execute(_TABLES)
        self.reads = 0

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        result = self.db.execute(sql, list(parameters))
        return [column[0] for column in result.description or ()], result.fetchall()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        self.reads += 1
        yield self

    def add_hour(self, hour: Hour, views: Views, *, access: str = "desktop") -> None:
        """As a whole build of an hour leaves it, every view through one access."""
        at = hour.started_at.replace(tzinfo=None)
        self._insert("dim_hour", [at, at + timedelta(hours=1), at.date(), at.hour])
        self.add_facts(hour, views)
        for (project, kind), views_and_rows in _summed(views).items():
            self._insert("traffic_by_kind_hourly", [at, project, access, kind, *views_and_rows])
            if kind != "article":
                self._insert("top_pages_left_out_hourly", [at, project, kind, *views_and_rows])
        for project in {project for project, _ in views}:
            rows = [count for (other, _), count in views.items() if other == project]
            self._insert("traffic_hourly", [at, project, access, sum(rows), len(rows)])
        for (project, title), count in views.items():
            rank = _rank(views, project, title)
            if count < KEPT and (rank or TOP + 1) > TOP:
                continue
            key = page_key(project, title)
            kind = _kind(title)
            self._insert("page_views_hourly", [at, key, project, title, kind, count, rank, kind == "article"])
            if rank and rank <= TOP:
                self._insert("top_pages_hourly", [at, key, project, title, rank, count])

    def add_facts(self, hour: Hour, views: Views) -> None:
        at = hour.started_at.replace(tzinfo=None)
        for (project, title), count in views.items():
            self._insert("fct_wikipedia_pageviews", [at, 1, project, page_key(project, title), count])

    def add_day(self, day: date, views: Views, *, hours_present: int = 24) -> None:
        for (project, title), count in views.items():
            rank, kind, key = _rank(views, project, title), _kind(title), page_key(project, title)
            row = [day, key, project, title, kind, count, rank, hours_present, kind == "article"]
            if count >= KEPT_DAY or (rank or TOP + 1) <= TOP:
                self._insert("page_views_daily", row)
            if rank and rank <= TOP:
                self._insert("top_pages_daily", [day, key, project, title, rank, count, hours_present])

    def add_trending_hour(self, hour: Hour, project: str, title: str, views: int, baseline: float) -> None:
        at, key = hour.started_at.replace(tzinfo=None), page_key(project, title)
        self._insert("trending_pages_hourly", [at, key, project, title, views, baseline, views / baseline, 24])

    def add_trending_day(self, day: date, project: str, title: str, views: int, baseline: float) -> None:
        key = page_key(project, title)
        self._insert("trending_pages_daily", [day, key, project, title, views, baseline, views / baseline, 28, 24])

    def _insert(self, table: str, row: Sequence[Any]) -> None:
        self.db.execute(f"insert into wikipedia.{table} values ({', '.join('?' * len(row))})", list(row))


def _kind(title: str) -> str:
    return "unknown" if title == "-" else title.partition(":")[0].lower() if ":" in title else "article"


def _rank(views: Views, project: str, title: str) -> int | None:
    if _kind(title) != "article":
        return None
    same = [(-count, name) for (other, name), count in views.items() if other == project and _kind(name) == "article"]
    return 1 + sorted(same).index((-views[project, title], title))


def _summed(views: Views) -> dict[tuple[str, str], tuple[int, int]]:
    """Views and rows by project and kind."""
    counts: Counter[tuple[str, str]] = Counter()
    rows: Counter[tuple[str, str]] = Counter()
    for (project, title), count in views.items():
        counts[project, _kind(title)] += count
        rows[project, _kind(title)] += 1
    return {key: (counts[key], rows[key]) for key in counts}
