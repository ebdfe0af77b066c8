"""Every page over a filled store: whole, safe, and with a word for what is not there."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests import samples
from tests.unit.status_api.filled import NEWEST, NOW, Filled, end, error, run_id, serving
from tests.unit.status_api.in_process import Client

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.records.marker import WarehouseCost
from pageviews_core.run_log_join import segment_key
from status_api.pages.about import find
from status_api.pages.render import STATIC

RUN = run_id(1)
ADDRESSES = (
    "/", "/grid", "/calendar", f"/hours/{NEWEST}", f"/days/{NOW:%Y-%m-%d}", "/runs", f"/runs/{RUN}", f"/runs/{RUN}/log",
    "/assets", "/lineage", "/schedules", "/requests", "/requests/new", "/trends", "/quality", "/insights", "/audit",
    "/about", "/search", "/search?q=nothing", "/articles/en.wikipedia/A", "/sign-in",
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def client(filled: Filled) -> Iterator[Client]:
    filled.complete(NEWEST + -3, NEWEST + -2)
    filled.fail(NEWEST)
    filled.run(0)
    filled.run(1, state="failed", error=error())
    filled.run(2, state="running", finished_at=None, pod_uid="uid-2")
    filled.end(end(detail=HOSTILE))
    filled.end(end(id="uid-2", detail=HOSTILE))
    filled.store.create(
        segment_key(keys.run(RUN), 1), f'{{"event": "x", "level": "error", "text": "{HOSTILE}"}}\n'.encode()
    )
    with serving(filled) as client:
        yield client


@pytest.mark.parametrize("path", ADDRESSES)
def test_its_tables_are_to_be_had_as_csv(client: Client, path: str) -> None:
    links = re.findall(r'href="([^"]*format=csv[^"]*)"', client.get(path, accept="text/html").text)
    for link in map(html.unescape, links):
        answer = client.get(link)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), link


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_page_has_one_heading_and_nothing_that_its_policy_forbids(client: Client, path: str) -> None:
    response = client.get(path, accept="text/html")
    assert response.status_code == 200
    text = response.text
    assert len(re.findall(r"<h1[ >]", text)) == 1
    assert " style=" not in text
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(html.unescape(style).encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*src=)", text) == []
    assert re.findall(r"\son\w+=", text) == []
    assert "<script>alert" not in text
    assert "http://" not in text.replace("http://localhost", "")


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_page_of_an_empty_store_says_so(path: str) -> None:
    filled = Filled()
    for info in list(filled.store.list("")):
        filled.store.delete(info.key)
    with serving(filled) as client:
        status = client.get(path, accept="text/html").status_code
    filled.close()
    assert status == (404 if path.startswith(("/hours", "/days", "/runs/")) else 200)


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_store_that_is_down_gives_a_page_that_says_so(client: Client, filled: Filled, path: str) -> None:
    def down(verb: str, key: str) -> None:
        raise StoreUnavailable("no route")

    filled.store.before = down
    filled.index.refresh()
    response = client.get(path, accept="text/html")
    assert response.status_code in (200, 503)
    assert "cannot be read" in response.text
    assert "no route" not in response.text


def test_what_others_wrote_is_text(client: Client) -> None:
    assert "&lt;script&gt;not gzip" in client.get(f"/hours/{NEWEST}").text
    assert "Traceback &lt;i&gt;" in client.get(f"/runs/{RUN}").text
    assert "&lt;script&gt;alert(1)" in client.get(f"/runs/{RUN}/log").text
    assert "&lt;script&gt;" in client.get(f"/search?q={HOSTILE}").text
    for path in ("/", "/schedules", f"/runs/{run_id(2)}"):
        assert "&lt;script&gt;alert(1)" in client.get(path).text


def test_a_viewer_sees_the_buttons_disabled_with_the_reason(client: Client) -> None:
    text = client.get(f"/hours/{NEWEST}").text
    assert text.count("<button disabled") >= 3
    assert "no tokens are configured" in text
    assert 'name="csrf" value=""' in text


def test_a_page_is_made_once_for_all_who_may_only_look(client: Client) -> None:
    first = client.get("/grid")
    again = client.get("/grid", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "set-cookie" not in first.headers


def test_a_cell_of_the_grid_names_itself(client: Client) -> None:
    text = client.get("/grid").text
    assert f'href="/hours/{NEWEST}" aria-label="20 Nov 09:00 UTC, failed, retry 10:30"' in text
    assert f'href="/hours/{NEWEST + -2}" aria-label="20 Nov 07:00 UTC, complete"' in text


def test_the_overview_has_its_sentence_first_and_a_remedy_for_what_failed(client: Client) -> None:
    text = client.get("/").text
    sentence, problem = text.index("Data complete to 08:00 UTC"), text.index("1 hour failed: SourceCorrupt")
    assert sentence < problem < text.index("The last seven days")
    assert "Retry now" in text


def test_a_day_with_an_hour_missing_has_no_sum(client: Client) -> None:
    assert "views are not known" in client.get(f"/days/{NOW:%Y-%m-%d}").text


def test_a_dry_run_shows_what_would_be_done_or_why_not(client: Client) -> None:
    path = f"/requests/new?dry=1&want=backfill&since={NEWEST + -4}&until={NEWEST + 1}"
    text = client.get(path).text
    assert "<strong>3 hours</strong>, 2 more need nothing" in text
    assert "until` is not after" in client.get(f"/requests/new?dry=1&since={NEWEST}&until={NEWEST}").text
    assert "YYYY-MM-DDTHH" in client.get("/requests/new?dry=1&since=monday&until=friday").text


def test_the_search_goes_to_what_is_meant(client: Client, filled: Filled) -> None:
    for text, target in (
        ("2026-11-20T09", "/hours/2026-11-20T09"),
        ("2026-11-20 09:00", "/hours/2026-11-20T09"),
        ("20261120T09", "/hours/2026-11-20T09"),
        (RUN, f"/runs/{RUN}"),
        ("en.wikipedia/Olympic Games", "/articles/en.wikipedia/Olympic_Games"),
    ):
        response = client.get(f"/search?q={text}")
        assert (response.status_code, response.headers["location"]) == (303, target)
    assert {hit.kind for hit in find(filled.view, "01JD4Q")} == {"run"}


def test_the_feed_is_well_formed_and_its_ids_stay(client: Client) -> None:
    first = client.get("/problems.atom")
    atom = "{http://www.w3.org/2005/Atom}"
    ids = [entry.findtext(f"{atom}id") for entry in ElementTree.fromstring(first.content).iter(f"{atom}entry")]
    assert len(ids) == len(set(ids)) == 4  # a failed hour, a missing one, a lost run, a pod that left none
    assert client.get("/problems.atom", if_none_match=first.headers["etag"]).status_code == 304


def test_the_badge_is_a_picture_of_health(client: Client) -> None:
    badge = client.get("/badge.svg")
    assert badge.headers["content-type"].startswith("image/svg+xml")
    assert "failing, 2 h 20 min behind" in badge.text


def test_secrets_are_not_among_the_settings(filled: Filled) -> None:
    with serving(filled, one_time_sign_in="o" * 40) as client:
        text = client.get("/about").text
    assert "o" * 40 not in text
    assert "k" * 40 not in text
    assert text.count("set, and not shown") == 2


def test_a_table_has_its_curl_line_with_the_address_that_was_asked_for(client: Client) -> None:
    assert "'http://localhost/api/v1/runs'" in client.get("/runs").text


def test_files_are_kept_by_their_content(client: Client) -> None:
    address = re.search(r'src="(/static/live.js\?\w+)"', client.get("/").text)
    assert address
    assert "immutable" in client.get(address[1]).headers["cache-control"]


def test_the_script_is_small(tmp_path: Path) -> None:
    assert (STATIC / "live.js").stat().st_size < 10_000


def test_what_an_hour_cost_is_shown_where_a_warehouse_is_paid_for(filled: Filled) -> None:
    with serving(filled) as client:
        assert "Estimated cost" not in client.get("/trends", accept="text/html").text
    cost = WarehouseCost(statements=12, seconds=45, credits=0.0125)
    for hour in (NEWEST + -2, NEWEST + -1):
        marker = samples.ingested_marker(hour).model_copy(update={"cost": cost})
        filled.journal.create(keys.marker("ingested", hour, 1), marker)
    filled.index.refresh()
    with serving(filled) as client:
        assert "Estimated cost per hour of data" in client.get("/trends", accept="text/html").text
        assert "about 0.0125 credits" in client.get(f"/hours/{NEWEST + -1}", accept="text/html").text
