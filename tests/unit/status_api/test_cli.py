from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from pageviews_core.clock import SystemClock
from pageviews_core.errors import StoreUnavailable
from status_api import cli, serving
from status_api.access.tokens import Tokens
from status_api.settings import StatusSettings


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("PAGEVIEWS_STORE_URL", "PAGEVIEWS_HOST", "PAGEVIEWS_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path))
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[StatusSettings]:
    served: list[StatusSettings] = []
    monkeypatch.setattr(serving, "serve", served.append)
    return served


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_it_serves_by_default(served: list[StatusSettings], arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.build_cli(), arguments)
    assert result.exit_code == 0
    assert len(served) == 1


@pytest.mark.parametrize("verb", ["serve", "check"])
def test_a_bad_setting_is_named_and_ends_with_78(
    monkeypatch: pytest.MonkeyPatch, served: list[StatusSettings], verb: str
) -> None:
    monkeypatch.setenv("PAGEVIEWS_PORT", "banana")
    result = CliRunner().invoke(cli.build_cli(), [verb])
    assert result.exit_code == 78
    assert "PAGEVIEWS_PORT='banana'" in result.stdout
    assert served == []


def test_check_is_content_with_a_store_that_can_be_read(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.build_cli(), ["check"])
    assert result.exit_code == 0
    assert f"ok object store: {(tmp_path / 'objects').as_uri()}" in result.stdout
    assert not (tmp_path / "objects").exists()


def test_check_says_what_is_wrong_with_the_store_and_ends_with_its_code(tmp_path: Path) -> None:
    control = tmp_path / "objects" / "control"
    control.mkdir(parents=True)
    (control / "settled.json").symlink_to("settled.json")
    result = CliRunner().invoke(cli.build_cli(), ["check"])
    assert result.exit_code == 78
    assert "FAILED object store: " in result.stdout


@pytest.mark.parametrize(("error", "code"), [(StoreUnavailable("gone"), 75), (ZeroDivisionError("oh"), 70)])
def test_errors_end_with_their_exit_code(monkeypatch: pytest.MonkeyPatch, error: Exception, code: int) -> None:
    def fail(settings: StatusSettings) -> None:
        raise error

    monkeypatch.setattr(serving, "serve", fail)
    result = CliRunner().invoke(cli.build_cli(), ["serve"])
    assert result.exit_code == code
    assert type(error).__name__ in result.stdout


def test_a_token_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    arguments = ["token", "olga", "--role", "operator", "--expires", "90d", "--file", str(file)]
    result = CliRunner().invoke(cli.build_cli(), arguments)
    assert result.exit_code == 0
    token = result.stdout.strip()
    assert token.startswith("pvw_")
    assert token not in file.read_text()
    found = Tokens(file, SystemClock()).find(token)
    assert found is not None
    assert (found.name, found.role) == ("olga", "operator")
    assert found.expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--role", "king"], "viewer, operator"), (["--expires", "soon"], "--expires='soon'")]
)
def test_a_token_that_cannot_be_made_says_what_is_allowed(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(cli.build_cli(), ["token", "olga", *arguments])
    assert result.exit_code == 78
    assert told in result.stdout
