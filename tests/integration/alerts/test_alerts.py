"""Each alert fires when it must, and none does through a normal week: promtool's unit tests, written here as series."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.tools.system_tools import promtool

RULES = Path("helm/wikipedia-pageviews/files/alerts.yaml").absolute()
ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
STEP, HOUR, DAY = 5, 60, 24 * 60
"""Minutes."""
REPLICAS = ("one", "two")
ALWAYS = "PageviewsWatchdog"

Series = dict[str, Callable[[int], float | None]]
"""A value for each minute since the start; None: not there."""


def published(minute: int) -> float:
    """End of the newest complete hour: each is complete 50 minutes after its end."""
    return ((minute - 50) // HOUR) * 3600.0


def normal() -> Series:
    return {
        "pageviews_build_info": lambda _: 1,
        "pageviews_store_up": lambda _: 1,
        "pageviews_newest_complete_hour_timestamp_seconds": published,
        'pageviews_hour_states{state="missing"}': lambda _: 0,
        'pageviews_hour_states{state="late"}': lambda _: 0,
        'pageviews_hour_warnings{warning="control_differs"}': lambda _: 0,
        'pageviews_last_tick_timestamp_seconds{pipeline="ingestor"}': lambda minute: (minute // 10) * 600.0,
        'pageviews_last_tick_timestamp_seconds{pipeline="transformer"}': lambda minute: (minute // 5) * 300.0,
        'pageviews_schedule_suspended{pipeline="ingestor"}': lambda _: 0,
        'pageviews_schedule_suspended{pipeline="transformer"}': lambda _: 0,
        "pageviews_unreadable_objects": lambda _: 0,
        'pageviews_failed_runs_in_a_row{pipeline="ingestor"}': lambda minute: 1 if minute % DAY < 10 else 0,
        'pageviews_schedule_missed{pipeline="ingestor"}': lambda _: 0,
        "pageviews_hour_restatements": lambda _: 3,
        "pageviews_newest_complete_hour_rows": lambda _: 7_000_000,
        "pageviews_newest_complete_hour_rejected_lines": lambda _: 12,
        "pageviews_store_free_bytes": lambda minute: 150e9 - 1e9 * (minute % DAY) / HOUR,
        "pageviews_store_size_bytes": lambda _: 200e9,
    }


def firing(series: Series, tmp_path: Path, at: list[int]) -> dict[int, set[str]]:
    """Names of the alerts that fire at each of the minutes: promtool expects none, and names those that it finds."""
    end = max(at) + STEP
    values = []
    for name, value in series.items():
        points = [value(minute) for minute in range(0, end, STEP)]
        written = " ".join("_" if point is None else repr(float(point)) for point in points)
        for replica in REPLICAS:
            metric, _, labels = name.partition("{")
            inside = labels.rstrip("}")
            pod = f'pod="{replica}",instance="{replica}:8080"'
            values.append({"series": f"{metric}{{{inside}{',' if inside else ''}{pod}}}", "values": written})
    asked = [{"alertname": alert, "eval_time": f"{minute}m", "exp_alerts": []} for minute in at for alert in ALERTS]
    content: dict[str, Any] = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP}m",
        "tests": [{"interval": f"{STEP}m", "input_series": values, "alert_rule_test": asked}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(content))
    done = subprocess.run([promtool(), "test", "rules", str(path)], capture_output=True, text=True)
    told = re.findall(r"alertname: (\w+), time: (\S+),", done.stdout + done.stderr)
    assert (done.returncode, bool(told)) in ((0, False), (1, True)), done.stdout + done.stderr
    found = {minute: {alert for alert, time in told if _minutes(time) == minute} for minute in at}
    assert all(ALWAYS in alerts for alerts in found.values())
    return {minute: alerts - {ALWAYS} for minute, alerts in found.items()}


def _minutes(time: str) -> int:
    """Of Prometheus' `1d2h3m`."""
    return sum(
        int(count) * {"d": DAY, "h": HOUR, "m": 1, "w": 7 * DAY}[unit]
        for count, unit in re.findall(r"(\d+)([wdhm])", time)
    )


def after(minute: int, then: float, before: float = 0) -> Callable[[int], float]:
    return lambda now: then if now >= minute else before


def stopped(minute: int) -> float:
    """The newest complete hour, after which no more is completed from minute 600 on."""
    return published(min(minute, 600))


def since_600(minute: int) -> float | None:
    """A time that is told from then on."""
    return 600 * 60.0 if minute >= 600 else None


CASES: list[tuple[str, Series, int, int]] = [
    ("PageviewsStatusServiceDown", {"pageviews_build_info": lambda minute: 1 if minute < 600 else None}, 605, 630),
    ("PageviewsStoreDown", {"pageviews_store_up": after(600, 0, 1)}, 600, 610),
    ("PageviewsBehind", {"pageviews_newest_complete_hour_timestamp_seconds": stopped}, 800, 960),
    ("PageviewsHourFailing", {"pageviews_failing_since_timestamp_seconds": since_600}, 650, 680),
    (
        "PageviewsRunsFailing",
        {'pageviews_failed_runs_in_a_row{pipeline="ingestor"}': lambda minute: max(0, (minute - 580) // 10)},
        620, 635,
    ),
    ("PageviewsHoursMissing", {'pageviews_hour_states{state="missing"}': after(600, 2)}, 620, 640),
    ("PageviewsSourceLate", {'pageviews_hour_states{state="late"}': after(600, 1)}, 650, 670),
    (
        "PageviewsNoTick",
        {'pageviews_last_tick_timestamp_seconds{pipeline="ingestor"}': lambda minute: min(minute, 600) * 60.0},
        670, 690,
    ),
    (
        "PageviewsTickMissed",
        {'pageviews_schedule_missed{pipeline="ingestor"}': lambda minute: 1 if minute >= 600 else 0},
        610, 620,
    ),
    ("PageviewsRejectedLines", {"pageviews_newest_complete_hour_rejected_lines": after(600, 9_000, 12)}, 600, 610),
    (
        "PageviewsControlTotalsDiffer",
        {'pageviews_hour_warnings{warning="control_differs"}': after(600, 1)},
        620, 640,
    ),
    ("PageviewsHourRestated", {"pageviews_hour_restatements": after(600, 4, 3)}, 595, 605),
    ("PageviewsRequestStuck", {"pageviews_oldest_open_request_timestamp_seconds": since_600}, 950, 990),
    ("PageviewsObjectsUnreadable", {"pageviews_unreadable_objects": after(600, 3)}, 620, 640),
    ("PageviewsDiskFilling", {"pageviews_store_free_bytes": after(600, 19e9, 60e9)}, 610, 620),
]  # fmt: skip
"""Name, what is not as usual, a minute at which that is no reason yet, and one at which it is."""


@pytest.mark.parametrize(("alert", "change", "silent_at", "fires_at"), CASES, ids=[case[0] for case in CASES])
def test_it_fires_when_it_must_and_not_before(
    alert: str, change: Series, silent_at: int, fires_at: int, tmp_path: Path
) -> None:
    found = firing({**normal(), **change}, tmp_path, [silent_at, fires_at])
    assert alert not in found[silent_at]
    assert alert in found[fires_at]


def test_every_alert_is_tried() -> None:
    assert [*(case[0] for case in CASES), ALWAYS] == ALERTS


def test_a_normal_week_is_silent(tmp_path: Path) -> None:
    found = firing(normal(), tmp_path, [DAY, 3 * DAY + 49, 7 * DAY])
    assert found == {DAY: set(), 3 * DAY + 49: set(), 7 * DAY: set()}


def test_an_hour_that_is_late_and_a_deployment_are_silent(tmp_path: Path) -> None:
    """Two hours without an hour, and five minutes without a status service."""

    def late(minute: int) -> float:
        return stopped(minute) if minute < 720 else published(minute)

    gone = {"pageviews_build_info": lambda minute: None if 900 <= minute < 905 else 1}
    found = firing({**normal(), "pageviews_newest_complete_hour_timestamp_seconds": late, **gone}, tmp_path, [715, 905])
    assert found == {715: set(), 905: set()}


def test_a_suspended_schedule_silences_what_follows_from_it(tmp_path: Path) -> None:
    suspended: Series = {
        "pageviews_newest_complete_hour_timestamp_seconds": stopped,
        'pageviews_last_tick_timestamp_seconds{pipeline="ingestor"}': lambda minute: min(minute, 600) * 60.0,
        'pageviews_schedule_suspended{pipeline="ingestor"}': after(600, 1),
    }
    assert firing({**normal(), **suspended}, tmp_path, [1400]) == {1400: set()}


def test_a_suspended_release_silences_no_other_one(tmp_path: Path) -> None:
    two: Series = {}
    for name, value in normal().items():
        metric, _, labels = name.partition("{")
        for release in ("first", "second"):
            inside = ",".join(filter(None, (labels.rstrip("}"), f'release="{release}"')))
            two[f"{metric}{{{inside}}}"] = value
    two['pageviews_schedule_suspended{pipeline="ingestor",release="first"}'] = lambda _: 1
    two['pageviews_newest_complete_hour_timestamp_seconds{release="second"}'] = stopped
    assert firing(two, tmp_path, [960]) == {960: {"PageviewsBehind"}}
