from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from tests.unit.status_api.in_process import Client, started

from status_api.problems import MEDIA_TYPE, answer_with_problems


def _as_page(_: Request, status: HTTPStatus, detail: str | None) -> Response:
    return Response(f"{status.value} {detail}", status, media_type="text/html")


@pytest.fixture
def client() -> Iterator[Client]:
    app = FastAPI()
    answer_with_problems(app, _as_page)

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", {"Retry-After": "5"})

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("a secret")

    with started(app) as client:
        yield client


def test_what_no_route_answers_is_a_problem(client: Client) -> None:
    response = client.get("/nowhere")
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json() == {"type": "about:blank", "title": "Not Found", "status": 404}


def test_a_wrong_method_says_which_is_right(client: Client) -> None:
    response = client.request("POST", "/teapot")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


def test_detail_and_headers_of_a_refusal_are_kept(client: Client) -> None:
    response = client.get("/teapot")
    assert response.headers["retry-after"] == "5"
    assert response.json()["detail"] == "short and stout"


def test_a_bug_says_nothing_of_itself(client: Client) -> None:
    response = client.get("/bug")
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json() == {"type": "about:blank", "title": "Internal Server Error", "status": 500}


def test_a_browser_gets_a_page_and_the_api_never_does(client: Client) -> None:
    page = client.get("/nowhere", accept="text/html")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get("/api/v1/nowhere", accept="text/html").headers["content-type"] == MEDIA_TYPE
