from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.status_api.in_process import Client, started

from pageviews_core import __version__
from status_api.main import create_app
from status_api.settings import StatusSettings


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def client(store: Path) -> Iterator[Client]:
    with started(create_app(StatusSettings(store_url=store.as_uri()))) as client:
        yield client


def test_it_lives_and_is_ready_before_there_is_anything(client: Client) -> None:
    for path in ("/livez", "/readyz"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_it_tells_its_version(client: Client) -> None:
    assert client.get("/version").json() == {"service": "pageviews-status-api", "version": __version__}


def test_with_an_unreadable_store_it_lives_but_is_not_ready(client: Client, store: Path) -> None:
    (store / "control").mkdir(parents=True)
    (store / "control" / "settled.json").symlink_to("settled.json")  # a loop: cannot be read, even by root
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the object store cannot be read: ConfigurationError",
    }
    assert client.get("/livez").status_code == 200
