from __future__ import annotations

import pytest
from tests.fake_clock import FakeClock

from ingestor.wikimedia import DumpsClient
from pageviews_core.hour import Hour


@pytest.mark.parametrize(
    ("hour", "file"),
    [
        ("2026-11-20T09", "2026/2026-11/pageviews-20261120-100000.gz"),
        ("2026-11-20T23", "2026/2026-11/pageviews-20261121-000000.gz"),
        ("2026-11-30T23", "2026/2026-12/pageviews-20261201-000000.gz"),
        ("2025-12-31T23", "2026/2026-01/pageviews-20260101-000000.gz"),
    ],
)
def test_names_and_folders_carry_the_end_of_the_hour(hour: str, file: str) -> None:
    with DumpsClient("https://mirror.example/pv/", "x@example.org", connections=1, clock=FakeClock()) as client:
        assert client.pageviews_url(Hour.parse(hour)) == f"https://mirror.example/pv/{file}"
        control = file.replace("pageviews", "projectviews").removesuffix(".gz")
        assert client.projectviews_url(Hour.parse(hour)) == f"https://mirror.example/pv/{control}"
