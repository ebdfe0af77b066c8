"""The same rows as Hive wrote them and as Spark writes them are the same rows, from the file to the facts."""

from __future__ import annotations

import gzip
from datetime import timedelta

from tests.integration.pipeline.conftest import OpenPipeline
from tests.integration.pipeline.pipeline import recent_hours
from tests.tools.dialects import hive_line, to_spark
from tests.tools.excerpt import excerpt_rows
from tests.tools.published_hours import PublishedFile, PublishedHour

from pageviews_core.hour import Hour


class OneExcerptInBothDialects:
    """The excerpt for every hour: as Hive for even ones, as Spark for odd ones."""

    def published(self, hour: Hour, version: int) -> PublishedHour:
        lines = [hive_line(row) for row in excerpt_rows()]
        text = b"".join(to_spark(lines) if hour.started_at.hour % 2 else lines)
        file = PublishedFile(gzip.compress(text, 1), hour.ended_at + timedelta(minutes=40), "application/gzip")
        return PublishedHour(file, None)


def test_an_hour_in_either_dialect_gives_the_same_titles_views_and_facts(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(recent_hours(2), source=OneExcerptInBothDialects())
    assert pipeline.ingest().code == 0
    assert pipeline.transform().code == 0
    markers = [pipeline.ingested(hour) for hour in pipeline.server.hours]
    assert len({marker.source.sha256 for marker in markers}) == 2
    assert {(marker.rows.loaded, marker.rows.rejected) for marker in markers} == {(len(excerpt_rows()), 0)}
    wanted = {(row.domain_code.decode(), row.page_title.decode(), row.count_views) for row in excerpt_rows()}
    for hour in pipeline.server.hours:
        at = hour.started_at.replace(tzinfo=None)
        found = pipeline.query(
            "select domain_code, page_title, count_views from raw_wikipedia_pageviews where hour_started_at = ?", [at]
        )
        assert set(found) == wanted
        assert len(found) == len(wanted)
    for table in ("stg_wikipedia_pageviews", "fct_wikipedia_pageviews"):
        times = pipeline.query(
            f"select times, count(*) from (select * exclude (hour_started_at), count(*) as times from {table} "
            "group by all) group by all"
        )
        assert times == [(2, len(wanted))], table
