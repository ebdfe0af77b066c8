from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench.measured_hour import derived_hour, real_hour

from pageviews_core.hour import Hour


def test_a_real_file_tells_its_hour_and_finds_its_control_totals(tmp_path: Path) -> None:
    pageviews, control = tmp_path / "pageviews-20180219-100000.gz", tmp_path / "projectviews-20180219-100000"
    pageviews.write_bytes(b"")
    assert real_hour(pageviews).projectviews is None
    control.write_bytes(b"")
    found = real_hour(pageviews)
    assert (found.hour, found.projectviews, found.derived) == (Hour.parse("2018-02-19T09"), control, False)


@pytest.mark.parametrize("name", ["missing-20180219-100000.gz", "some.gz"])
def test_what_is_no_hour_is_refused(tmp_path: Path, name: str) -> None:
    if name == "some.gz":
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"\.gz"):
        real_hour(tmp_path / name)


def test_without_a_real_file_the_hour_says_that_it_is_derived(tmp_path: Path) -> None:
    found = derived_hour(tmp_path)
    assert found.derived
    assert "DERIVED" in found.about
    assert found.pageviews.stat().st_size > 0
