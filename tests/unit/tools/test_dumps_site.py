from datetime import UTC, datetime
from email.message import Message

import pytest
from tests.tools.derived_hours import derive_hour
from tests.tools.dumps_layout import pageviews_path, projectviews_path
from tests.tools.dumps_site import BASE_PATH, DumpsSite
from tests.tools.published_hours import DerivedHours
from tests.tools.replies import Reply
from tests.tools.troubles import HtmlPage, Late, Missing, Restated, Trouble

from pageviews_core.clock import SystemClock
from pageviews_core.hour import Hour, hour_range

START = Hour.parse("2026-11-30T21")
HOURS = list(hour_range(START, START + 4))
SOURCE = DerivedHours(scale=0.01)


class StillClock(SystemClock):
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def site_with(trouble: dict[Hour, Trouble] | None = None, clock: StillClock | None = None) -> DumpsSite:
    return DumpsSite(HOURS, trouble or {}, SOURCE, clock or StillClock(datetime(2026, 12, 1, 12, tzinfo=UTC)))


def ask(site: DumpsSite, name: str, method: str = "GET", user_agent: str = "tests (mail@example.org)") -> Reply:
    request = Message()
    request["User-Agent"] = user_agent
    return site.answer(method, f"{BASE_PATH}/{name}", request)


def test_an_hours_two_files_are_where_the_dumps_have_them() -> None:
    derived = derive_hour(START, scale=0.01)
    site = site_with()
    assert ask(site, pageviews_path(START)).body == derived.pageviews_gz
    assert ask(site, projectviews_path(START)).body == derived.projectviews


@pytest.mark.parametrize(
    "name",
    [
        pageviews_path(START + 100),
        "2026/2026-11/pageviews-20261201-000000.gz",
        "2026/2026-11/pageviews-20261130-220000",
        "pageviews-20261130-220000.gz",
        "2026/2026-10/",
        "2026/2026-12/pageviews-20261399-000000.gz",
    ],
)
def test_anything_else_is_not_found(name: str) -> None:
    assert ask(site_with(), name).status == 404


def test_a_path_outside_of_the_base_is_not_found() -> None:
    request = Message()
    request["User-Agent"] = "tests (mail@example.org)"
    for path in ("/", "/other/pageviewsX/", "/other/pageview_complete/"):
        assert site_with().answer("GET", path, request).status == 404


@pytest.mark.parametrize(
    "user_agent", ["", "python-httpx/0.28.1", "Python-urllib/3.11", "curl/8.5.0", "Go-http-client/1.1"]
)
def test_a_librarys_default_user_agent_is_refused(user_agent: str) -> None:
    assert ask(site_with(), pageviews_path(START), user_agent=user_agent).status == 403


def test_folders_list_what_is_published_by_the_end_of_the_hour() -> None:
    site = site_with({HOURS[1]: Missing()})
    assert '<a href="2026/">' in ask(site, "").body.decode()
    assert '<a href="2026-11/">' in ask(site, "2026/").body.decode()
    november, december = (ask(site, f"2026/2026-{month}/").body.decode() for month in (11, 12))
    assert "pageviews-20261130-220000.gz" in november
    assert "projectviews-20261130-220000" in november
    assert "20261130-230000" not in november
    assert "pageviews-20261201-000000.gz" in december
    assert "20261130" not in december


def test_a_late_hour_has_neither_of_its_files_before_its_time() -> None:
    clock = StillClock(datetime(2026, 11, 30, 23, tzinfo=UTC))
    site = site_with({START: Late(until=datetime(2026, 12, 1, tzinfo=UTC))}, clock)
    paths = (pageviews_path(START), projectviews_path(START))
    assert [ask(site, path).status for path in paths] == [404, 404]
    clock.time = datetime(2026, 12, 1, tzinfo=UTC)
    assert [ask(site, path).status for path in paths] == [200, 200]


def test_only_requests_for_the_pageviews_file_count_towards_a_late_hour() -> None:
    site = site_with({START: Late(asks=2)})
    wanted, control = pageviews_path(START), projectviews_path(START)
    assert ask(site, control).status == 404
    assert [ask(site, wanted, "HEAD").status, ask(site, wanted).status, ask(site, control).status] == [404, 404, 404]
    assert [ask(site, wanted).status, ask(site, control).status] == [200, 200]


def test_both_files_of_a_restated_hour_change_with_the_next_get_of_the_pageviews() -> None:
    site = site_with({START: Restated(after_gets=1)})
    first, restated = derive_hour(START, 0.01), derive_hour(START, 0.01, version=2)
    for version in (first, restated):
        assert ask(site, pageviews_path(START)).body == version.pageviews_gz
        assert ask(site, projectviews_path(START)).body == version.projectviews


def test_an_hours_trouble_can_begin_and_end_at_run_time() -> None:
    site = site_with()
    site.publish(START, HtmlPage())
    assert ask(site, pageviews_path(START)).body.startswith(b"<!DOCTYPE html>")
    site.publish(START)
    assert ask(site, pageviews_path(START)).body == derive_hour(START, 0.01).pageviews_gz


def test_an_hour_can_be_published_later() -> None:
    site = site_with()
    site.publish(START + 4)
    assert site.hours == [*HOURS, START + 4]
    assert ask(site, pageviews_path(START + 4)).status == 200


def test_trouble_for_an_hour_that_is_not_served_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="2026-12-04T01"):
        site_with({START + 76: Missing()})
