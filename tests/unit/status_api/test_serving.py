from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pageviews_core.errors import ConfigurationError
from status_api.serving import serve
from status_api.settings import StatusSettings


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"PAGEVIEWS_PORT={port}"):
            serve(StatusSettings(store_url=tmp_path.as_uri(), port=port))


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"PAGEVIEWS_HOST='203\.0\.113\.9'"):
        serve(StatusSettings(store_url=tmp_path.as_uri(), host="203.0.113.9"))


def test_a_store_that_nothing_serves_ends_it_before_it_listens() -> None:
    with pytest.raises(ConfigurationError, match="ftp"):
        serve(StatusSettings(store_url="ftp://nowhere"))
