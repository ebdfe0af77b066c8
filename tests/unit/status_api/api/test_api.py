"""The REST API over a filled store: what its clients rely on, whatever the route."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.status_api.filled import NEWEST, Filled, end, error, run_id, serving
from tests.unit.status_api.in_process import Client

from pageviews_core import keys
from pageviews_core.run_log_join import segment_key
from status_api.access.tokens import add_entry, new_token

PROBLEM = "application/problem+json"


@pytest.fixture
def client(filled: Filled) -> Iterator[Client]:
    filled.complete(NEWEST + -3, NEWEST + -2)
    filled.fail(NEWEST)
    for number in range(5):
        filled.run(number, state="failed" if number == 4 else "succeeded", error=error() if number == 4 else None)
    filled.store.create(segment_key(keys.run(run_id(1)), 1), b'{"event": "x", "level": "info"}\n' * 3)
    with serving(filled) as client:
        yield client


@pytest.fixture
def operator(filled: Filled, tmp_path: Path) -> Iterator[tuple[Client, dict[str, str]]]:
    token, entry = new_token("olga", "operator", None)
    add_entry(tmp_path / "tokens.json", entry)
    with serving(filled, tokens_file=tmp_path / "tokens.json") as client:
        yield client, {"Authorization": f"Bearer {token}"}


def test_a_list_comes_in_pages_that_link_to_each_other(client: Client) -> None:
    path, found = "/api/v1/runs?limit=2&job=ingestor", []
    while path:
        response = client.get(path)
        found += [item["id"] for item in response.json()["items"]]
        link = response.headers.get("link", "")
        assert bool(link) == (response.json()["next_cursor"] is not None)
        path = link.partition(">")[0].removeprefix("<")
    assert found == [run_id(number) for number in (4, 3, 2, 1, 0)]


def test_pods_that_left_no_run_are_listed(client: Client, filled: Filled) -> None:
    filled.end(end(exit_code=78, reason="Error", detail="bad setting"))
    filled.index.refresh()
    [found] = client.get("/api/v1/ends").json()
    assert (found["job_name"], found["exit_code"], found["detail"]) == ("pv-ingestor-1", 78, "bad setting")


def test_an_etag_spares_the_body_until_something_changes(client: Client, filled: Filled) -> None:
    for path in ("/api/v1/status", "/api/v1/hours", f"/api/v1/hours/{NEWEST}", f"/api/v1/runs/{run_id(1)}"):
        tag = client.get(path).headers["etag"]
        again = client.get(path, if_none_match=tag)
        assert (again.status_code, again.content) == (304, b""), path
    tag = client.get("/api/v1/hours").headers["etag"]
    filled.complete(NEWEST + -1)
    filled.index.refresh()
    assert client.get("/api/v1/hours", if_none_match=tag).status_code == 200


def test_a_list_as_csv_is_safe_to_open_in_a_spreadsheet(client: Client, filled: Filled) -> None:
    filled.run(7, state="failed", error=error().model_copy(update={"message": "=1+1"}))
    filled.index.refresh()
    response = client.get("/api/v1/runs?format=csv&limit=1")
    assert response.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert (row["id"], row["error"]) == (run_id(7), "'=1+1")


def test_a_table_of_an_answer_is_to_be_had_as_csv(client: Client) -> None:
    path = f"/api/v1/hours/{NEWEST + -2}"
    found = client.get(path).json()["ingested"]
    (row,) = csv.DictReader(io.StringIO(client.get(f"{path}?format=csv&table=ingested").text))
    assert (row["run_id"], row["views"]) == (found[0]["run_id"], str(found[0]["views"]))
    assert json.loads(row["source"]) == found[0]["source"]
    none = client.get(f"{path}?format=csv&table=ingested.0.control.differences")
    assert (none.status_code, none.text) == (200, "")
    for wrong in ("", "nothing", "ingested.7", "hour.state", "ingested.0"):
        refused = client.get(f"{path}?format=csv&table={wrong}")
        assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
        assert "ingested, transformed, failures" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/api/v1/hours/yesterday", 422, "YYYY-MM-DDTHH"),
        ("/api/v1/hours?since=2026-13-01T00", 422, "since"),
        ("/api/v1/hours?limit=0", 422, "limit"),
        ("/api/v1/hours?limit=5000", 422, "limit"),
        ("/api/v1/hours?state=green", 422, "state"),
        ("/api/v1/hours?cursor=nonsense", 422, "cursor"),
        ("/api/v1/hours/1999-01-01T00", 404, "before its start"),
        ("/api/v1/runs/nope", 404, "nope"),
        ("/api/v1/runs/nope/logs", 404, "nope"),
        ("/api/v1/runs/nope/logs/raw", 404, "nope"),
        ("/api/v1/runs/nope/logs/live", 404, "nope"),
        ("/api/v1/requests/nope", 404, "no request"),
        ("/api/v1/assets/nope", 404, "nope"),
        ("/api/v1/insights/pulse", 404, "first build"),
        ("/api/v1/articles/en%20x/Title", 422, ""),
        ("/api/v1/nowhere", 404, ""),
    ],
)
def test_what_is_wrong_is_a_problem_that_says_so(client: Client, path: str, status: int, told: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    assert told in response.text


def test_a_log_is_read_downloaded_and_followed(client: Client) -> None:
    path = f"/api/v1/runs/{run_id(1)}/logs"
    assert [line["number"] for line in client.get(f"{path}?start=2").json()["lines"]] == [2, 3]
    assert client.get(f"{path}/raw").text.count("\n") == 3
    live = client.get(f"{path}/live", last_event_id="1")
    assert live.headers["content-type"].startswith("text/event-stream")
    assert [line for line in live.text.splitlines() if line.startswith(("id", "event"))] == [
        "id: 2",
        "id: 3",
        "event: end",
    ]


def test_a_dry_run_changes_nothing_and_its_digest_is_honoured(
    operator: tuple[Client, dict[str, str]], filled: Filled
) -> None:
    client, headers = operator
    order = {"want": "backfill", "since": str(NEWEST + -1), "until": str(NEWEST + 1)}
    plan = client.request("POST", "/api/v1/requests?dry_run=true", headers=headers, json=order)
    assert (plan.status_code, len(plan.json()["hours"])) == (200, 2)
    assert client.get("/api/v1/requests").json()["items"] == []
    filled.complete(NEWEST)
    filled.index.refresh()
    stale = client.request("POST", "/api/v1/requests", headers=headers, json={**order, "plan": plan.json()["digest"]})
    assert (stale.status_code, stale.headers["content-type"]) == (409, PROBLEM)
    assert stale.json()["plan"]["hours"] == [str(NEWEST + -1)]
    made = client.request(
        "POST", "/api/v1/requests", headers=headers, json={**order, "plan": stale.json()["plan"]["digest"]}
    )
    assert made.status_code == 202
    assert client.get(made.headers["location"]).json()["summary"]["who"] == "olga"


def test_an_idempotency_key_is_honoured(operator: tuple[Client, dict[str, str]]) -> None:
    client, headers = operator
    headers = {**headers, "Idempotency-Key": "once"}
    order = {"want": "reload", "hours": [str(NEWEST)]}
    first, again = (client.request("POST", "/api/v1/requests", headers=headers, json=order) for _ in range(2))
    assert first.json() == again.json()
    other = client.request("POST", "/api/v1/requests", headers=headers, json={**order, "why": "other"})
    assert (other.status_code, other.headers["content-type"]) == (422, PROBLEM)
    assert len(client.get("/api/v1/requests").json()["items"]) == 1


def test_a_request_is_cancelled_and_notes_are_kept(operator: tuple[Client, dict[str, str]], filled: Filled) -> None:
    client, headers = operator
    made = client.request(
        "POST", "/api/v1/requests", headers=headers, json={"want": "reload", "hours": [str(NEWEST)]}
    ).json()
    assert client.request("POST", f"/api/v1/requests/{made['id']}/cancel", headers=headers).status_code == 202
    retry = client.request("POST", f"/api/v1/requests/{made['id']}/retry", headers=headers)
    assert (retry.status_code, "no hour has failed" in retry.text) == (422, True)
    note = {"hours": [str(NEWEST)], "reason": "known", "until": "2026-11-22T00:00:00Z"}
    (kept,) = client.request("POST", "/api/v1/notes", headers=headers, json=note).json()
    assert client.get("/api/v1/notes").json()["items"] == [kept]
    assert client.request("DELETE", f"/api/v1/notes/{kept['id']}", headers=headers).status_code == 204
    assert client.request("DELETE", f"/api/v1/notes/{kept['id']}", headers=headers).status_code == 404
    late = client.request("POST", "/api/v1/notes", headers=headers, json={**note, "until": "2020-01-01T00:00:00Z"})
    assert late.status_code == 422


def test_the_description_is_readable_and_promises_no_other_errors_than_problems(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in document["components"]["schemas"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all("_" not in name and name[0].islower() for name in names)
    for operation in operations:
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == [PROBLEM], (operation["operationId"], status)


def test_swagger_ui_is_from_here_alone(client: Client) -> None:
    page = client.get("/api/v1/docs")
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert client.get(f"/api/v1/docs/{name}").status_code == 200
