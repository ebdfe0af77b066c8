from __future__ import annotations

from datetime import timedelta

import pytest

from ingestor.settings import WIKIMEDIA, IngestorSettings
from pageviews_core.errors import ConfigurationError
from pageviews_core.settings import environment_name, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in IngestorSettings.model_fields:
        monkeypatch.delenv(environment_name(IngestorSettings, field), raising=False)


def test_wikimedia_itself_is_the_source_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(IngestorSettings)
    assert settings.source_url == WIKIMEDIA
    assert settings.contact_needed
    monkeypatch.setenv("PAGEVIEWS_CONTACT", "ops@example.org")
    assert not read_settings(IngestorSettings).contact_needed


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("https://dumps.wikimedia.org/other/pageviews/", True),
        ("https://DUMPS.WIKIMEDIA.ORG/x", True),
        ("http://127.0.0.1:8000/pageviews/", False),
        ("https://mirror.example/pageviews", False),
    ],
)
def test_only_wikimedia_asks_for_a_contact(monkeypatch: pytest.MonkeyPatch, url: str, needed: bool) -> None:
    monkeypatch.setenv("PAGEVIEWS_SOURCE_URL", url)
    settings = read_settings(IngestorSettings)
    assert settings.contact_needed is needed
    assert not settings.source_url.endswith("/")


def test_the_number_of_connections_stays_within_what_wikimedia_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_DOWNLOAD_WORKERS", "3")
    assert read_settings(IngestorSettings).max_download_workers == 3


def test_durations_and_shares_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_RECHECK_WINDOW", "0s")
    monkeypatch.setenv("PAGEVIEWS_MAX_REJECTED_SHARE", "0.5")
    settings = read_settings(IngestorSettings)
    assert (settings.recheck_window, settings.max_rejected_share) == (timedelta(0), 0.5)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PAGEVIEWS_SOURCE_URL", "dumps.wikimedia.org", "http or https address"),
        ("PAGEVIEWS_SOURCE_URL", "ftp://mirror.example", "http or https address"),
        ("PAGEVIEWS_SOURCE_URL", "https://", "http or https address"),
        ("PAGEVIEWS_CONTACT", "x" * 201, "at most 200"),
        ("MAX_DOWNLOAD_WORKERS", "4", "less than or equal to 3"),
        ("MAX_DOWNLOAD_WORKERS", "0", "greater than or equal to 1"),
        ("PAGEVIEWS_MAX_HOURS_PER_RUN", "0", "greater than or equal to 1"),
        ("PAGEVIEWS_MAX_REJECTED_SHARE", "1.5", "less than or equal to 1"),
        ("PAGEVIEWS_MAX_REJECTED_SHARE", "nan", "1"),
        ("PAGEVIEWS_RECHECK_WINDOW", "two days", "45m"),
        ("PAGEVIEWS_RECHECK_AFTER", "", ""),
    ],
)
def test_a_bad_value_is_named_with_what_was_given_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    if not value:
        assert read_settings(IngestorSettings).recheck_after == timedelta(hours=1)
        return
    with pytest.raises(ConfigurationError) as caught:
        read_settings(IngestorSettings)
    assert f"{name}={value!r}" in str(caught.value)
    assert allowed in str(caught.value)


def test_an_end_before_the_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_START", "2026-11-20T09")
    monkeypatch.setenv("PAGEVIEWS_END", "2026-11-20T08")
    with pytest.raises(ConfigurationError, match=r"^bad setting: PAGEVIEWS_END lies before PAGEVIEWS_START$"):
        read_settings(IngestorSettings)
    monkeypatch.setenv("PAGEVIEWS_END", "2026-11-20T09")
    assert read_settings(IngestorSettings).end is not None
