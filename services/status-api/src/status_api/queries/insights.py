"""The published results: what is read, and what is trending."""

from __future__ import annotations

import hashlib
import re
import shlex
import unicodedata
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from pageviews_core.errors import UnknownSchemaVersion
from pageviews_core.hour import Hour
from pageviews_core.object_store.base import ObjectNotFound, ObjectStore
from pageviews_core.page_key import page_key
from pageviews_core.records.published import (
    ArticleSeries,
    PublishedRecord,
    Pulse,
    Series,
    Top,
    Traffic,
    Trending,
    series_name,
)
from status_api.queries.answers import Answer, UtcTime
from status_api.queries.meta import read_meta
from status_api.view import View

_PROJECT = re.compile(r"[a-z0-9.-]{1,63}")
_TITLE_BYTES_AT_MOST = 700
_SHARDS_KEPT = 8
"""Of 64: each has about 30 articles, and takes 200 kB."""

log = structlog.get_logger()


class Published(Answer):
    """Which results there are; None of each before the first build."""

    generated_at: UtcTime | None
    newest_hour: Hour | None
    stale: bool
    """The newest complete hour is newer than what was published."""


class Article(Answer):
    project: str
    title: str
    followed: bool
    """False: it is in none of the published results."""
    series: ArticleSeries | None
    first_hour: Hour | None
    first_day: str | None
    """`2026-11-20`"""
    day_floor: int | None
    """A day's zero stands for fewer views than this."""
    day_hours_present: tuple[int, ...]
    sql: str
    """To ask the warehouse for every hour of the article, published or not."""
    command: str
    """The same for a shell on a machine with the warehouse."""


def read_published(view: View) -> Published:
    meta = read_meta(view)
    generated_at, newest = meta.get("published_generated_at"), meta.get("published_newest_hour")
    return Published(
        generated_at=datetime.fromisoformat(generated_at) if generated_at else None,
        newest_hour=Hour.parse(newest) if newest else None,
        stale=generated_at is not None and (newest or "") < meta.get("newest_complete_hour", ""),
    )


def read_pulse(view: View) -> Pulse | None:
    """None where it is not published, or not by this version. Raises what the store raises; the same holds below."""
    return _read(view, "pulse", Pulse)


def read_trending(view: View) -> Trending | None:
    return _read(view, "trending", Trending)


def read_top(view: View) -> Top | None:
    return _read(view, "top", Top)


def read_traffic(view: View) -> Traffic | None:
    return _read(view, "traffic", Traffic)


def read_series(view: View, name: str) -> Series | None:
    """`series/00` to `series/3f`."""
    return _read(view, name, Series, kept=_SHARDS_KEPT) if name.startswith("series/") else None


def read_article(view: View, project: str, title: str) -> Article:
    """The title as a person types it: with spaces, or underscores; its first letter counts as given.

    Raises ValueError for what can be no project or title, and what the store raises.
    """
    project, title = _project(project), _title(title)
    shard = read_series(view, series_name(project, title))
    found = (
        next((item for item in shard.articles if (item.project, item.title) == (project, title)), None)
        if shard
        else None
    )
    dates = shard if found else None
    sql = _sql(view.settings.warehouse_schema, project, title)
    return Article(
        project=project,
        title=title,
        followed=found is not None,
        series=found,
        first_hour=dates and dates.first_hour,
        first_day=dates and dates.first_day.isoformat(),
        day_floor=dates and dates.day_floor,
        day_hours_present=dates.day_hours_present if dates else (),
        sql=sql,
        command=f"pageviews-transformer query {shlex.quote(sql)}",
    )


R = TypeVar("R", bound=PublishedRecord)


def _read(view: View, name: str, record: type[R], *, kept: int = 1) -> R | None:
    """An object that is not what the index says, or of another version, is as good as none; the log says why."""
    for row in view.index.rows("select key, sha256 from published where name = ?", name):
        key, sha256 = str(row["key"]), str(row["sha256"])
        verified = partial(_verified, view.store, key, sha256, record)
        return view.extracts.get(f"published/{record.__name__}", (key, sha256), verified, at_most=kept)
    return None


def _verified(store: ObjectStore, key: str, sha256: str, record: type[R]) -> R | None:
    try:
        body, _ = store.get(key)
        if hashlib.sha256(body).hexdigest() == sha256:
            return record.decode(body, key)
        reason = "its sha256 is not the index's"
    except (ObjectNotFound, ValueError):
        reason = "there is no such object"
    except UnknownSchemaVersion as exc:
        reason = str(exc)
    log.warning("published_object_refused", key=key, reason=reason)
    return None


def _project(text: str) -> str:
    project = text.strip().lower().removesuffix(".org")
    if not _PROJECT.fullmatch(project):
        raise ValueError("a project is written as en.wikipedia or commons.wikimedia: at most 63 of a-z, 0-9, . and -")
    return project


def _title(text: str) -> str:
    title = text.strip(" ").replace(" ", "_")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
        raise ValueError("a title holds no control characters")
    if not 1 <= len(title.encode()) <= _TITLE_BYTES_AT_MOST:
        raise ValueError(f"a title has 1 to {_TITLE_BYTES_AT_MOST} bytes in UTF-8")
    return title


def _sql(schema: str, project: str, title: str) -> str:
    # By its key the article is found at once; its name is for whoever reads the query.
    return (
        f"select hour_started_at, sum(view_count) as views from {schema.lower()}.wikipedia_pageviews "
        f"where page_key = {page_key(project, title)} and project = {_literal(project)} "
        f"and page_title = {_literal(title)} group by hour_started_at order by hour_started_at"
    )


def _literal(text: str) -> str:
    """For both engines: a backslash is one in DuckDB's literals, and begins an escape in Snowflake's."""
    quoted = text.replace("'", "''").replace("\\", "' || chr(92) || '")
    return f"'{quoted}'"
