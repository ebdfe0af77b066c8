from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from sqlite3 import Row

import pytest
from tests.unit.status_api.filled import NEWEST, NOW, Filled, error, run_id

from pageviews_core import keys
from pageviews_core.records.run import StepTiming
from status_api.queries.answers import NotFound
from status_api.queries.runs import list_runs, read_run, trends
from status_api.queries.schedules import read_schedules
from status_api.queries.status import read_status
from status_api.view import View

RESULTS = {
    "results": [
        {
            "unique_id": "model.pageviews.fct_wikipedia_pageviews", "status": "success", "execution_time": 1.5,
            "timing": [{"name": "execute", "started_at": "2026-11-20T10:00:00.5Z"}],
            "adapter_response": {"rows_affected": 12}, "failures": None, "message": "OK",
        },
        {"unique_id": "test.pageviews.unique_x.abc", "status": "warn", "execution_time": 0.1, "failures": 3},
    ]
}  # fmt: skip


def test_runs_come_newest_first_in_pages(filled: Filled) -> None:
    for number in range(5):
        filled.run(number)
    view = filled.view
    first = list_runs(view, limit=3)
    rest = list_runs(view, limit=3, cursor=first.next_cursor)
    assert [run.id for run in (*first.items, *rest.items)] == [run_id(number) for number in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None


def test_filters(filled: Filled) -> None:
    filled.run(1)
    filled.run(2, "transformer", trigger="backfill", request="R")
    filled.run(3, state="failed", error=error(), hours=())
    view = filled.view
    assert [run.id for run in list_runs(view, job="transformer").items] == [run_id(2)]
    assert [run.id for run in list_runs(view, states=["failed"]).items] == [run_id(3)]
    assert [run.id for run in list_runs(view, trigger="backfill", request="R").items] == [run_id(2)]
    assert [run.id for run in list_runs(view, hour=NEWEST).items] == [run_id(2), run_id(1)]
    began = NOW - timedelta(hours=1)
    between = list_runs(view, since=began + timedelta(seconds=1), until=began + timedelta(seconds=2))
    assert [run.id for run in between.items] == [run_id(1)]


def test_a_run_with_dbts_results_and_its_error(filled: Filled) -> None:
    number = filled.run(1, "transformer", state="failed", error=error())
    filled.store.put(
        f"{keys.run(number)}/artifacts/001/run_results.json.gz", gzip.compress(json.dumps(RESULTS).encode())
    )
    detail = read_run(filled.view, number)
    assert detail.error == error()
    model, test = detail.nodes
    assert (model.name, model.kind, model.rows, model.seconds) == ("fct_wikipedia_pageviews", "model", 12, 1.5)
    assert model.started_at is not None
    assert (test.name, test.kind, test.status, test.failures) == ("unique_x", "test", "warn", 3)


@pytest.mark.parametrize(
    "body",
    [b"", b"not gzip", gzip.compress(b"{"), gzip.compress(b'{"results": [{}]}'), b"\x1f\x8b"],
    ids=["empty", "no gzip", "no JSON", "no results", "cut off"],
)
def test_results_that_cannot_be_read_are_none(filled: Filled, body: bytes) -> None:
    number = filled.run(1, "transformer")
    filled.store.put(f"{keys.run(number)}/artifacts/001/run_results.json.gz", body)
    assert read_run(filled.view, number).nodes == ()


def test_what_changed_since_the_last_good_run(filled: Filled) -> None:
    filled.run(1)
    filled.run(2, state="failed", error=error())
    step = StepTiming(name="load", hours=(NEWEST,), started_at=NOW, seconds=9, succeeded=True)
    filled.run(3, steps=(step,), rows=11, peak_memory_bytes=200 * 1024**2, version="0.2.0")
    detail = read_run(filled.view, run_id(3))
    assert detail.last_good_run == run_id(1)
    assert {change.what for change in detail.changed} == {
        "seconds of load", "version", "rows", "peak memory (MiB)",
    }  # fmt: skip


def test_a_run_like_the_one_before_it_has_changed_nothing(filled: Filled) -> None:
    filled.run(1)
    filled.run(2)
    assert read_run(filled.view, run_id(2)).changed == ()


def test_an_unknown_run_is_not_found(filled: Filled) -> None:
    with pytest.raises(NotFound):
        read_run(filled.view, run_id(9))


def test_trends_are_of_runs_that_succeeded_oldest_first(filled: Filled) -> None:
    filled.run(1)
    filled.run(2, state="failed", error=error())
    filled.run(3)
    points = trends(filled.view, "ingestor")
    assert [point.run for point in points] == [run_id(1), run_id(3)]
    assert points[0].seconds_per_hour == 20
    assert points[0].steps == {"load": 2}


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (read_schedules, "runs_at_work"),
        (read_status, "runs_at_work"),
        (lambda view: list_runs(view, job="ingestor", states=["failed", "lost"]), "runs_not_succeeded"),
        (lambda view: list_runs(view, trigger="backfill"), "runs_not_scheduled"),
    ],
)
def test_few_runs_of_many_are_found_by_an_index_of_their_own(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, ask: Callable[[View], object], index: str
) -> None:
    view, asked = filled.view, list[tuple[str, tuple[object, ...]]]()
    answer = view.index.rows

    def rows(sql: str, *parameters: object) -> list[Row]:
        asked.append((sql, parameters))
        return answer(sql, *parameters)

    monkeypatch.setattr(view.index, "rows", rows)
    ask(view)
    of_runs = [(sql, given) for sql, given in asked if "from runs" in sql and " = ?" in sql]
    assert of_runs
    for sql, given in of_runs:
        plan = [row["detail"] for row in answer(f"explain query plan {sql}", *given)]
        assert any(f"INDEX {index} " in step for step in plan), (sql, plan)
