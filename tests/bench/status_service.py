"""The status service over a year of hours and 100,000 runs.

How soon it answers, how it bears a load and in how much memory, and how soon a page is on a cold browser's screen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import httpx
import psutil
from playwright._impl._api_structures import RequestSizes
from playwright.sync_api import Browser, sync_playwright

from pageviews_core.clock import SystemClock
from pageviews_core.object_store.local import LocalObjectStore
from tests import samples
from tests.bench.bench import Bench
from tests.bench.process import SAMPLED_EVERY_SECONDS
from tests.bench.report import show_rows
from tests.tools.busy_store import write_busy_store
from tests.tools.status_process import StatusProcess, free_port
from tests.tools.system_tools import chromium
from transformer.housekeeping.compaction import compact
from transformer.housekeeping.work import BudgetSpent, Work

RUNS = 100_000
RATE = 50
"""Requests a second."""
LOADED_SECONDS = 30
_LOOKS = 7
_FILLED_WITHIN_SECONDS = 120
_FLOOR = "/livez"
"""A few bytes: what is left is the browser's own time."""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


class Answered(NamedTuple):
    path: str
    seconds: float
    status: int
    bytes: int


def measure_status_service(bench: Bench) -> None:
    with bench.scratch("status") as folder:
        write_busy_store(folder / "objects", runs=RUNS)
        compact_days(folder / "objects")
        with started(folder) as (service, began):
            first = _until(service, lambda client: client.get("/api/v1/status").status_code == 200) - began
            filled = _until(service, _is_filled) - began
            rest = _resident(service)
            paths = _paths(service)
            _ = [httpx.get(service.url + path, timeout=20) for path in paths]
            answers, peak = asyncio.run(_load(service, paths))
            pages = (_FLOOR, "/", "/grid", "/runs", paths[3])
            looks = _look_at([service.url + path for path in pages for _ in range(_LOOKS)])
    _show(bench, first, filled, rest, peak, answers, looks)


def compact_days(root: Path) -> None:
    """As the transformer's daily housekeeping leaves them."""
    with samples.session_on(LocalObjectStore(root), SystemClock()) as session:
        while True:
            try:
                compact(Work(session))
            except BudgetSpent:
                continue
            return


@contextmanager
def started(folder: Path) -> Iterator[tuple[StatusProcess, float]]:
    began = time.perf_counter()
    with StatusProcess(folder, port=free_port()) as service:
        yield service, began


def _until(service: StatusProcess, happened: object) -> float:
    assert callable(happened)
    deadline = time.perf_counter() + _FILLED_WITHIN_SECONDS
    with httpx.Client(base_url=service.url, timeout=10) as client:
        while time.perf_counter() < deadline:
            try:
                if happened(client):
                    return time.perf_counter()
            except httpx.TransportError:
                pass
            time.sleep(SAMPLED_EVERY_SECONDS)
    raise TimeoutError(f"{service.url}: {happened}")


def _is_filled(client: httpx.Client) -> bool:
    return client.get("/api/v1/status").json()["indexing"] is False


def _paths(service: StatusProcess) -> list[str]:
    """The mix, in turns."""
    run = httpx.get(f"{service.url}/api/v1/runs?limit=1", timeout=10).json()["items"][0]["id"]
    hour = httpx.get(f"{service.url}/api/v1/hours?state=complete&limit=1", timeout=10).json()["items"][0]["hour"]
    return [
        "/", "/grid", "/runs", f"/hours/{hour}", f"/runs/{run}",
        "/api/v1/status", "/api/v1/runs", "/api/v1/hours", f"/api/v1/hours/{hour}", f"/api/v1/runs/{run}", "/metrics",
    ]  # fmt: skip


async def _load(service: StatusProcess, paths: list[str]) -> tuple[list[Answered], int]:
    """An open loop: a slow answer holds up no later request. With the largest resident size in bytes."""
    peak, process = 0, psutil.Process(service.pid)
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=service.url, timeout=20, limits=limits) as client:

        async def ask(path: str) -> Answered:
            began = time.perf_counter()
            answer = await client.get(path)
            return Answered(path, time.perf_counter() - began, answer.status_code, len(answer.content))

        asked = []
        began = time.perf_counter()
        for number in range(RATE * LOADED_SECONDS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            asked.append(asyncio.create_task(ask(paths[number % len(paths)])))
            if number % RATE == 0:
                peak = max(peak, process.memory_info().rss)
        return await asyncio.gather(*asked), peak


class Look(NamedTuple):
    url: str
    painted_ms: float
    """First contentful paint: the page is one document, so it is all of its content."""
    requests: int
    bytes: int


def _look_at(urls: list[str]) -> list[Look]:
    """Each time in a browser that runs, and has nothing in its caches."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        try:
            return [_look(browser, url) for url in urls]
        finally:
            browser.close()


def _look(browser: Browser, url: str) -> Look:
    context = browser.new_context()
    page = context.new_page()
    page.goto("about:blank")
    requests: list[RequestSizes] = []
    page.on("requestfinished", lambda request: requests.append(request.sizes()))
    page.goto(url, wait_until="load")
    while (painted := page.evaluate(_PAINTED)) is None:
        page.wait_for_timeout(10)
    size = sum(sizes["responseBodySize"] + sizes["responseHeadersSize"] for sizes in requests)
    context.close()
    return Look(url, float(painted), len(requests), size)


def _resident(service: StatusProcess) -> int:
    return int(psutil.Process(service.pid).memory_info().rss)


def _show(
    bench: Bench, first: float, filled: float, rest: int, peak: int, answers: list[Answered], looks: list[Look]
) -> None:
    def p95(found: list[Answered]) -> str:
        return f"{1000 * quantiles([answer.seconds for answer in found], n=20)[-1]:.0f} ms"

    failed = [answer for answer in answers if answer.status != 200]
    rows = [
        ("first answer after the start", f"{first:.2f} s", "<= 2 s"),
        (f"all of {RUNS:,} runs and 8,760 hours indexed", f"{filled:.2f} s", "<= 10 s"),
        ("resident at rest", f"{rest / 2**20:.0f} MiB", "<= 128 MiB"),
        (f"resident under {RATE} requests a second", f"{peak / 2**20:.0f} MiB", "<= 128 MiB"),
        (f"p95 of {len(answers):,} answers, {len(failed)} not 200", p95(answers), "<= 50 ms"),
    ]
    rows += [
        (f"  p95 of {path}", p95([answer for answer in answers if answer.path == path]), "")
        for path in dict.fromkeys(answer.path for answer in answers)
    ]
    for url in dict.fromkeys(look.url for look in looks):
        seen = [look for look in looks if look.url == url]
        painted = f"{median(look.painted_ms for look in seen):.0f} ms"
        rows.append((f"on screen, cold: {url.partition('/')[2].partition('/')[2]}", painted, "<= 150 ms"))
        rows.append(("  its requests and bytes", f"{seen[0].requests}, {seen[0].bytes / 1000:.0f} kB", "<= 6, 150 kB"))
    show_rows(bench.console, "The status service", rows)
