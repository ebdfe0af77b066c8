from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.status_api.in_process import started

from pageviews_core.errors import ConfigurationError
from status_api.main import create_app
from status_api.settings import StatusSettings


def test_nothing_is_opened_before_the_start() -> None:
    app = create_app(StatusSettings(store_url="ftp://nowhere"))
    with pytest.raises(ConfigurationError, match="ftp"), started(app):
        pass


def test_pages_that_load_scripts_from_elsewhere_are_off_and_the_description_is_not(tmp_path: Path) -> None:
    with started(create_app(StatusSettings(store_url=tmp_path.as_uri()))) as client:
        assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
        description = client.get("/api/v1/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    problems = description["paths"]["/readyz"]["get"]["responses"]["503"]["content"]
    assert problems.keys() == {"application/problem+json"}
