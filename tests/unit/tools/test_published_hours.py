from datetime import timedelta
from pathlib import Path

from tests.tools.derived_hours import derive_hour
from tests.tools.published_hours import DerivedHours, RealFiles

from pageviews_core.hour import Hour

HOUR = Hour.parse("2026-11-20T09")
SMALL = DerivedHours(scale=0.01)


def test_a_derived_hour_is_published_some_time_after_its_end() -> None:
    published = SMALL.published(HOUR, 1)
    derived = derive_hour(HOUR, scale=0.01)
    assert published.pageviews.content == derived.pageviews_gz
    assert published.projectviews is not None
    assert published.projectviews.content == derived.projectviews
    assert timedelta() < published.pageviews.modified_at - HOUR.ended_at < timedelta(hours=1)


def test_a_restatement_has_another_tag_and_a_later_date() -> None:
    first, restated = SMALL.published(HOUR, 1).pageviews, SMALL.published(HOUR, 2).pageviews
    assert restated.etag != first.etag
    assert restated.modified_at > first.modified_at


def test_the_tag_follows_from_the_content() -> None:
    file = SMALL.published(HOUR, 1).pageviews
    assert file.with_content(file.content).etag == file.etag
    assert file.with_content(file.content[:-1]).etag != file.etag


def test_a_real_file_stands_in_for_its_hour_alone(tmp_path: Path) -> None:
    pageviews, projectviews = tmp_path / "any.gz", tmp_path / "any"
    pageviews.write_bytes(b"real")
    projectviews.write_bytes(b"control")
    source = RealFiles({HOUR: pageviews}, {HOUR: projectviews}, others=SMALL)
    published = source.published(HOUR, 1)
    assert published.pageviews.content == b"real"
    assert published.projectviews is not None
    assert published.projectviews.content == b"control"
    assert source.published(HOUR + 1, 1) == SMALL.published(HOUR + 1, 1)


def test_a_real_file_may_come_without_control_totals(tmp_path: Path) -> None:
    (tmp_path / "any.gz").write_bytes(b"real")
    assert RealFiles({HOUR: tmp_path / "any.gz"}, others=SMALL).published(HOUR, 1).projectviews is None
