from __future__ import annotations

import pytest

from pageviews_core.errors import ConfigurationError
from pageviews_core.settings import read_settings
from status_api.settings import StatusSettings


def test_it_serves_on_this_machine_alone_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGEVIEWS_HOST", raising=False)
    monkeypatch.delenv("PAGEVIEWS_PORT", raising=False)
    settings = read_settings(StatusSettings)
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5"])
def test_a_bad_port_is_named_with_what_was_given(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PAGEVIEWS_PORT", port)
    with pytest.raises(ConfigurationError, match=f"PAGEVIEWS_PORT='{port}'"):
        read_settings(StatusSettings)
