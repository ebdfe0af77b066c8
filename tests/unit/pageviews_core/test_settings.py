from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, model_validator

from pageviews_core.errors import ConfigurationError, ExitCode
from pageviews_core.settings import (
    CoreSettings,
    JobSettings,
    environment_name,
    parse_duration,
    parse_size,
    read_settings,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (JobSettings, _Secretive):
        for field in kind.model_fields:
            monkeypatch.delenv(environment_name(kind, field), raising=False)


class _Secretive(CoreSettings):
    token: SecretStr = Field(SecretStr(""), max_length=5)
    snowflake_password: SecretStr = Field(SecretStr(""), max_length=5)
    url: str = Field("http:", pattern="^http")
    one: int = 1
    other: int = 2

    @model_validator(mode="after")
    def _fits(self) -> _Secretive:
        if self.one > self.other:
            raise ValueError("PAGEVIEWS_ONE is larger than PAGEVIEWS_OTHER")
        return self


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("123", 123), ("5B", 5), ("1k", 1000), ("1KB", 1000), ("1Ki", 1024), ("1KiB", 1024), ("1kib", 1024),
        ("512Mi", 512 * 1024**2), ("800MB", 800 * 10**6), ("1GiB", 1024**3), ("2G", 2 * 10**9), ("1 TiB", 1024**4),
        (" 1GiB ", 1024**3),
    ],
)  # fmt: skip
def test_a_size_is_a_number_of_bytes_with_a_decimal_or_a_binary_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "1.5GiB", "1GB/s", "1 G i B", "0x10", "1e9", "\u0661GiB", "1PiB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="1GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)), ("90s", timedelta(seconds=90)), ("45m", timedelta(minutes=45)),
        ("6H", timedelta(hours=6)),
        ("1.5h", timedelta(minutes=90)), ("30 d", timedelta(days=30)), ("10000d", timedelta(days=10_000)),
    ],
)  # fmt: skip
def test_a_duration_is_a_number_with_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "-1h", "h", "1w", "1h30m", "PT1H", "nan d", "infs", "1e3s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="45m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["10001d", "9" * 400 + "d", "99999999999h"])
def test_a_duration_that_leaves_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 10000d"):
        parse_duration(text)


@given(st.text(max_size=12))
def test_sizes_and_durations_raise_nothing_but_value_errors(text: str) -> None:
    for parse in (parse_size, parse_duration):
        try:
            parse(text)
        except ValueError:
            continue


def test_without_any_variable_everything_lives_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings(JobSettings)
    assert settings.object_store_url() == (tmp_path / "data/objects").as_uri()
    assert settings.warehouse_file() == tmp_path / "data/warehouse.duckdb"
    assert settings.scratch_folder() == tmp_path / "data/scratch"
    assert (settings.start, settings.end, settings.memory_limit) == (None, None, 1024**3)


def test_variables_are_read_in_their_own_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "LOCAL_DATA_DIR": str(tmp_path), "PAGEVIEWS_MEMORY_LIMIT": "2GiB", "PAGEVIEWS_RUN_BUDGET": "90s",
        "PAGEVIEWS_START": "2026-11-20T09", "PAGEVIEWS_END": "", "SNOWFLAKE_SCHEMA": "other",
        "SNOWFLAKE_TABLE_NAME": "raw_2", "PAGEVIEWS_DUCKDB_PATH": str(tmp_path / "w.duckdb"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings = read_settings(JobSettings)
    assert settings.memory_limit == 2 * 1024**3
    assert settings.run_budget == timedelta(seconds=90)
    assert (str(settings.start), settings.end) == ("2026-11-20T09", None)
    assert (settings.warehouse_schema, settings.raw_table) == ("other", "raw_2")
    assert settings.warehouse_file() == tmp_path / "w.duckdb"
    assert settings.object_store_url() == (tmp_path / "objects").as_uri()


BAD_VALUES = [
    ("PAGEVIEWS_LOG_FORMAT", "xml", "'auto', 'json' or 'console'"),
    ("PAGEVIEWS_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ("PAGEVIEWS_WAREHOUSE", "oracle", "'duckdb'"),
    ("PAGEVIEWS_WAREHOUSE_WAIT", "ten", "45m"),
    ("SNOWFLAKE_SCHEMA", "a; drop table b", "A-Za-z"),
    ("SNOWFLAKE_TABLE_NAME", "1raw", "A-Za-z"),
    ("PAGEVIEWS_MEMORY_LIMIT", "lots", "1GiB"),
    ("PAGEVIEWS_MEMORY_LIMIT", "511MiB", "536870912"),
    ("PAGEVIEWS_THREADS", "0", "greater than or equal to 1"),
    ("PAGEVIEWS_THREADS", "two", "valid integer"),
    ("PAGEVIEWS_RUN_BUDGET", "0s", "greater than 0"),
    ("PAGEVIEWS_SLA", "-6h", "45m"),
    ("PAGEVIEWS_ABSENT_AFTER", "99999999999d", "at most 10000d"),
    ("PAGEVIEWS_START", "2026-11-20", "YYYY-MM-DDTHH"),
    ("PAGEVIEWS_START", '{"started_at": 1}', "YYYY-MM-DDTHH"),
    ("PAGEVIEWS_END", "2026-11-20T25", "hour must be in"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_VALUES)
def test_a_bad_value_is_named_with_what_was_given_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(JobSettings)
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert f"{name}={value!r}" in str(caught.value)
    assert allowed in str(caught.value)


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_THREADS", "none")
    monkeypatch.setenv("PAGEVIEWS_SLA", "soon")
    with pytest.raises(ConfigurationError, match=r"(?s)THREADS.*SLA|SLA.*THREADS"):
        read_settings(JobSettings)


def test_settings_that_do_not_go_together_are_named_without_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_ONE", "3")
    monkeypatch.setenv("PAGEVIEWS_TOKEN", "hush")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(_Secretive)
    assert str(caught.value) == "bad setting: PAGEVIEWS_ONE is larger than PAGEVIEWS_OTHER"


@pytest.mark.parametrize("name", ["PAGEVIEWS_TOKEN", "PAGEVIEWS_SNOWFLAKE_PASSWORD"])
def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "much-too-long")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(_Secretive)
    assert f"{name}=***" in str(caught.value)
    assert "much-too-long" not in _everything_printed(caught.value)


def test_a_password_in_an_address_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_URL", "ftp://ann:hush@mirror.example/x")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(_Secretive)
    assert "ftp://***@mirror.example/x" in str(caught.value)
    assert "hush" not in _everything_printed(caught.value)


def _everything_printed(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def test_settings_cannot_be_changed_later() -> None:
    settings: Any = read_settings(CoreSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "debug"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in JobSettings.model_fields.items() if not field.description] == []
