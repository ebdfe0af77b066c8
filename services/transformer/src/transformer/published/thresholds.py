"""The thresholds that the marts were built with: variables of the dbt project, read from where it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from pageviews_core.errors import ConfigurationError
from pageviews_core.records.published import TrendingRule


@dataclass(frozen=True)
class Thresholds:
    """The floors: what page_views_hourly and page_views_daily keep of every page; below it, only top pages."""

    hour_floor: int
    day_floor: int
    hourly: TrendingRule
    daily: TrendingRule


def read_thresholds(dbt_project: Path) -> Thresholds:
    """Raises ConfigurationError where the project's file cannot be read or lacks one."""
    path = dbt_project / "dbt_project.yml"
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8"))["vars"]
        return Thresholds(
            hour_floor=names["kept_page_hour_views"],
            day_floor=names["kept_page_day_views"],
            hourly=_rule(names, "hour"),
            daily=_rule(names, "day"),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"{path} does not say the marts' thresholds: {type(exc).__name__}: {exc}") from exc


def _rule(names: dict[str, float], period: str) -> TrendingRule:
    return TrendingRule(
        ratio=names[f"trending_{period}_ratio"],
        rise=int(names[f"trending_{period}_rise"]),
        views=int(names[f"trending_{period}_views"]),
        baseline_periods=int(names[f"trending_{period}_baseline_{period}s"]),
        baseline_periods_needed=int(names[f"trending_{period}_baseline_{period}s_needed"]),
    )
