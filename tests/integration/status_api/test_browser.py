"""The page as people use it: a real browser, the real service, and a store that both jobs have written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.integration.status_api.site import CODE, Site
from tests.tools.system_tools import chromium

from pageviews_core.journal import Journal
from pageviews_core.object_store.local import LocalObjectStore

ADDRESSES = (
    "/", "/grid", "/calendar", "/runs", "/assets", "/lineage", "/schedules", "/requests", "/requests/new", "/trends",
    "/quality", "/insights", "/audit", "/about", "/sign-in",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    return watched(context.new_page())


@pytest.fixture(scope="module")
def operator_state(site: Site, browser: Browser) -> dict[str, Any]:
    """The cookies of somebody who used the one-time link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.service.url}/sign-in/once?code={CODE}")
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(f"{site.service.url}/")
    state: dict[str, Any] = json.loads(json.dumps(context.storage_state()))
    context.close()
    return state


@pytest.fixture
def operator(site: Site, browser: Browser, operator_state: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(storage_state=operator_state)  # type: ignore[arg-type]
    yield watched(context.new_page())
    context.close()


def watched(page: Page) -> Page:
    """Errors of scripts, and whatever the page's own policy refused, fail the test."""

    def refuse(error: object) -> None:
        raise AssertionError(f"{page.url}: {error}")

    page.on("pageerror", refuse)
    page.on("console", lambda message: refuse(message.text) if "Content Security Policy" in message.text else None)
    return page


def journal(site: Site) -> Journal:
    return Journal(LocalObjectStore(site.folder / "objects"))


def test_from_the_overview_to_the_failed_hours_run_and_its_log(site: Site, visitor: Page) -> None:
    visitor.goto(f"{site.service.url}/")
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Data complete to")
    problem = visitor.locator(".problem").filter(has_text="1 hour failed: DownloadCorrupt").first
    expect(problem).to_be_visible()
    problem.get_by_role("link", name=re.compile(f"{site.failed.started_at:%H}:00")).first.click()
    expect(visitor).to_have_url(re.compile(f"/hours/{site.failed}$"))
    visitor.locator(f'a[href="/runs/{site.failed_run}"]').first.click()
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("run", ignore_case=True)
    visitor.locator(f'a[href^="/runs/{site.failed_run}/log"]').first.click()
    expect(visitor.locator("main")).to_contain_text("hour_finished")


def test_a_visitor_sees_the_buttons_disabled_with_the_reason_and_is_refused(site: Site, visitor: Page) -> None:
    visitor.goto(f"{site.service.url}/hours/{site.failed}")
    buttons = visitor.locator("main form button:disabled, main button:disabled")
    expect(buttons.first).to_be_visible()
    assert visitor.locator("main").inner_text().lower().count("sign in") or "read-only" in visitor.content()
    refused = visitor.request.post(
        f"{site.service.url}/api/v1/requests", data={"want": "reload", "hours": [str(site.failed)]}
    )
    assert refused.status in (401, 403)
    assert refused.headers["content-type"] == "application/problem+json"
    assert [info.key for info in journal(site).store.list("requests/open/")] == []


def test_a_backfill_is_tried_dry_then_run_watched_and_cancelled(site: Site, operator: Page) -> None:
    operator.goto(f"{site.service.url}/requests/new")
    operator.get_by_label(re.compile("^from", re.IGNORECASE)).fill(str(site.complete))
    operator.get_by_label(re.compile("^(to|until)", re.IGNORECASE)).fill(str(site.complete + 1))
    operator.get_by_label(re.compile("force|already", re.IGNORECASE)).check()
    operator.get_by_label(re.compile("why", re.IGNORECASE)).fill("a test of the page")
    operator.get_by_role("button", name=re.compile("dry run|preview|plan", re.IGNORECASE)).click()
    expect(operator.locator("main")).to_contain_text(f"{site.complete.started_at:%H}:00 UTC")
    submit = operator.get_by_role("button", name=re.compile("start|submit|request", re.IGNORECASE))
    submit.dblclick()
    expect(operator).to_have_url(re.compile("/requests/[0-9A-Z]{26}$"))
    requests = [info.key for info in journal(site).store.list("requests/open/")]
    assert len(requests) == 1  # of two clicks
    expect(operator.locator("main")).to_contain_text("a test of the page")
    operator.get_by_role("button", name=re.compile("cancel", re.IGNORECASE)).click()
    expect(operator.locator("main")).to_contain_text(re.compile("cancel", re.IGNORECASE))
    kinds = [
        json.loads(journal(site).store.get(info.key)[0])["kind"] for info in journal(site).store.list("requests/open/")
    ]
    assert sorted(kinds) == ["backfill", "cancel"]


def test_a_schedule_is_suspended_and_resumed(site: Site, operator: Page) -> None:
    operator.goto(f"{site.service.url}/schedules")
    operator.get_by_role("button", name=re.compile("suspend.*ingestor", re.IGNORECASE)).click()
    expect(operator.get_by_role("button", name=re.compile("resume.*ingestor", re.IGNORECASE))).to_be_visible()
    assert json.loads(journal(site).store.get("control/schedules.json")[0])["suspended"] == ["ingestor"]
    operator.get_by_role("button", name=re.compile("resume.*ingestor", re.IGNORECASE)).click()
    expect(operator.get_by_role("button", name=re.compile("suspend.*ingestor", re.IGNORECASE))).to_be_visible()
    assert json.loads(journal(site).store.get("control/schedules.json")[0])["suspended"] == []
    operator.goto(f"{site.service.url}/audit")
    expect(operator.locator("main")).to_contain_text("schedule.suspend")


def test_a_one_time_link_works_once(site: Site, operator_state: dict[str, Any], visitor: Page) -> None:
    visitor.goto(f"{site.service.url}/sign-in/once?code={CODE}")
    buttons = visitor.get_by_role("button", name=re.compile("sign in", re.IGNORECASE))
    if buttons.count():
        buttons.first.click()
    expect(visitor.locator("main")).to_contain_text(re.compile("used|no longer|not valid|expired", re.IGNORECASE))
    assert visitor.context.cookies() == [] or all(
        "session" not in cookie["name"] for cookie in visitor.context.cookies()
    )
    assert CODE not in site.service.log.read_text()


def test_the_grid_is_walked_with_the_keyboard(site: Site, visitor: Page) -> None:
    visitor.goto(f"{site.service.url}/grid")
    cells = visitor.locator("table a[href^='/hours/']")
    assert visitor.locator("table a[href^='/hours/']:not([tabindex='-1'])").count() == 1  # one stop for the tab key
    visitor.locator("table a[href^='/hours/']:not([tabindex='-1'])").focus()
    before = visitor.evaluate("document.activeElement.getAttribute('href')")
    visitor.keyboard.press("ArrowLeft")
    after = visitor.evaluate("document.activeElement.getAttribute('href')")
    assert before != after
    assert after.startswith("/hours/")
    assert cells.count() >= 5
    name = visitor.locator(f'a[href="/hours/{site.failed}"]').first.get_attribute("aria-label") or ""
    assert f"{site.failed.started_at:%H}:00 UTC, failed" in name


def test_a_restated_hour_is_shown_against_what_it_was(site: Site, visitor: Page) -> None:
    visitor.goto(f"{site.service.url}/quality")
    [row] = visitor.locator("section:has(#generations) tbody tr").all()
    expect(row).to_contain_text("2 after 1")
    row.get_by_role("link").first.click()
    expect(visitor.locator("section:has(#loaded) tbody tr")).to_have_count(2)
    expect(visitor.locator("section:has(#built) tbody tr")).to_have_count(2)


def test_dbts_documentation_runs_in_an_origin_of_its_own_and_loads_nothing(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{site.service.url}/assets/fct_wikipedia_pageviews")
    page.get_by_role("link", name="In dbt's own documentation").click()
    expect(page.locator("body")).to_contain_text("fct_wikipedia_pageviews")
    expect(page.locator("body")).to_contain_text("view_count")
    expect(page.locator("body")).to_contain_text("bigint")  # the contract's type
    assert page.evaluate("window.origin") == "null"
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {site.service.url.split("/")[2]}
    assert not said
    context.close()


@pytest.mark.parametrize(
    "address", [*ADDRESSES, "{hour}", "{day}", "{run}", "{log}", "{article}", "{asset}", "/nowhere"]
)
def test_axe_finds_nothing(site: Site, operator: Page, address: str) -> None:
    path = address.format(
        hour=f"/hours/{site.failed}",
        day=f"/days/{site.failed.started_at:%Y-%m-%d}",
        run=f"/runs/{site.failed_run}",
        log=f"/runs/{site.failed_run}/log",
        article="/articles/en.wikipedia/Not_followed",
        asset="/assets/fct_wikipedia_pageviews",
    )
    answer = operator.goto(site.service.url + path)
    assert answer is not None
    assert answer.status == (404 if address == "/nowhere" else 200)
    for scheme in ("light", "dark"):
        operator.emulate_media(color_scheme=scheme)
        found = Axe().run(operator).response["violations"]
        assert [(item["id"], item["nodes"][0]["html"]) for item in found] == [], scheme


@pytest.mark.parametrize("address", ["/", "/grid", "/runs", "/quality", "/insights", "/lineage", "/requests/new"])
def test_no_page_scrolls_sideways_on_a_phone(site: Site, visitor: Page, address: str) -> None:
    visitor.set_viewport_size({"width": 360, "height": 740})
    visitor.goto(site.service.url + address)
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_is_whole_without_a_script(site: Site, browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.service.url + address)
    expect(page.locator("main h1")).to_be_visible()
    context.close()


@pytest.mark.parametrize("address", ["/", "/grid", "/runs"])
def test_a_page_takes_few_requests_and_bytes(site: Site, visitor: Page, address: str) -> None:
    sizes: list[int] = []
    visitor.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    visitor.goto(site.service.url + address, wait_until="load")
    assert len(sizes) <= 6
    assert sum(sizes) <= 150_000


def test_a_change_in_the_store_comes_to_the_open_page_by_itself(site: Site, visitor: Page, operator: Page) -> None:
    visitor.goto(f"{site.service.url}/schedules")
    expect(visitor.locator("main")).not_to_contain_text(re.compile("suspended since|is suspended", re.IGNORECASE))
    operator.goto(f"{site.service.url}/schedules")
    operator.get_by_role("button", name=re.compile("suspend.*transformer", re.IGNORECASE)).click()
    expect(operator.get_by_role("button", name=re.compile("resume.*transformer", re.IGNORECASE))).to_be_visible()
    expect(visitor.locator("main")).to_contain_text(re.compile("suspended", re.IGNORECASE), timeout=15_000)
    operator.get_by_role("button", name=re.compile("resume.*transformer", re.IGNORECASE)).click()
    expect(operator.get_by_role("button", name=re.compile("suspend.*transformer", re.IGNORECASE))).to_be_visible()
