from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_marts import KEPT, KEPT_DAY

from pageviews_core.errors import ConfigurationError
from transformer.published.thresholds import read_thresholds
from transformer.settings import TransformerSettings


def test_the_project_that_comes_along_says_all_of_them() -> None:
    thresholds = read_thresholds(TransformerSettings().dbt_project_folder())
    assert (thresholds.hour_floor, thresholds.day_floor) == (KEPT, KEPT_DAY)
    assert (thresholds.hourly.ratio, thresholds.hourly.rise, thresholds.hourly.views) == (5, 100, 200)
    assert (thresholds.hourly.baseline_periods, thresholds.hourly.baseline_periods_needed) == (24, 6)
    assert (thresholds.daily.ratio, thresholds.daily.rise, thresholds.daily.views) == (5, 500, 1000)
    assert (thresholds.daily.baseline_periods, thresholds.daily.baseline_periods_needed) == (28, 7)


@pytest.mark.parametrize("content", [None, "vars: {}", "- no mapping", "vars: [", ""])
def test_a_project_that_does_not_say_them_is_an_error_with_its_name(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "dbt_project.yml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"dbt_project\.yml"):
        read_thresholds(tmp_path)
