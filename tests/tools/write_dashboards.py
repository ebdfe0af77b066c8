"""Writes the Grafana dashboards with Grafana's own builders: `python -m tests.tools.write_dashboards [--check]`.

Every query filters by `$release` and folds replicas; every panel links to the page that says why.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, text, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.text import TextMode

FOLDER = Path(__file__).parents[2] / "helm/wikipedia-pageviews/dashboards"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HALF, _QUARTER, _HEIGHT = 12, 6, 8

Query = tuple[str, str]
"""PromQL, and the legend."""


def one(metric: str, matchers: str = "") -> str:
    """The metric of the chosen releases, once whatever the number of replicas."""
    inside = ",".join(filter(None, ('release=~"$release"', matchers)))
    return f"max without (pod, instance) ({metric}{{{inside}}})"


def age(metric: str) -> str:
    return f"time() - {one(metric)}"


def _target(number: int, query: Query) -> prometheus.Dataquery:
    expr, legend = query
    return prometheus.Dataquery().ref_id(chr(ord("A") + number)).datasource(_SOURCE).expr(expr).legend_format(legend)


def _described(panel: Any, title: str, about: str, unit: str, page: str, queries: Sequence[Query]) -> Any:
    link = dashboard.DashboardLink("On the page").type(DashboardLinkType.LINK)
    link = link.url(f"${{page}}{page}").target_blank(True)
    panel = panel.title(title).description(about).datasource(_SOURCE).unit(unit).links([link])
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(number, query))
    return panel


def figure(
    title: str, about: str, unit: str, page: str, query: Query, steps: Sequence[tuple[float | None, str]], none: str
) -> Any:
    """One number, coloured by the `steps` (from which value on, colour); `none` where there is no answer."""
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE)
    thresholds = thresholds.steps([Threshold(value=value, color=color) for value, color in steps])
    panel = stat.Panel().thresholds(thresholds).color_mode(BigValueColorMode.BACKGROUND).no_value(none)
    panel = panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    return _described(panel, title, about, unit, page, [query])


def course(title: str, about: str, unit: str, page: str, *queries: Query, fill: int = 0) -> Any:
    """Lines over time."""
    return _described(timeseries.Panel().fill_opacity(fill), title, about, unit, page, queries)


GREEN_TO_RED = ((None, "green"), (10_800.0, "orange"), (21_600.0, "red"))
_HOUR = "pageviews_newest_complete_hour"
_LAST = "pageviews_last_run"
BY_PIPELINE = "{{release}} {{pipeline}}"

OPERATIONS = (
    figure("Behind", "Age of the newest complete hour; about an hour is normal, six are an alert.", "s", "/",
           (age(f"{_HOUR}_timestamp_seconds"), "{{release}}"), GREEN_TO_RED, "no hour yet"),
    figure("Failing for", "Since when the hour fails that has failed longest, and that nobody has acknowledged.",
           "s", "/", (age("pageviews_failing_since_timestamp_seconds"), "{{release}}"),
           ((None, "orange"), (3_600.0, "red")), "nothing fails"),
    figure("Store", "1: the object store can be read.", "short", "/", (one("pageviews_store_up"), "{{release}}"),
           ((None, "red"), (1.0, "green")), "not scraped"),
    figure("Since the last tick", "Of each job; a long run keeps its own next ticks from starting.", "s", "/schedules",
           (age("pageviews_last_tick_timestamp_seconds"), BY_PIPELINE),
           ((None, "green"), (1_800.0, "orange"), (4_500.0, "red")), "never"),
    course("Hours by state", "All hours that are expected, but for the complete ones.", "short", "/grid",
           (one("pageviews_hour_states", 'state!~"complete|expired"'), "{{release}} {{state}}"), fill=20),
    course("Behind, over time", "Age of the newest complete hour: a saw of one hour's height.", "s", "/grid",
           (age(f"{_HOUR}_timestamp_seconds"), "{{release}}")),
    course("Time of a run by step", "Of the newest run that ended.", "s", "/trends",
           (one(f"{_LAST}_step_seconds"), "{{release}} {{pipeline}} {{step}}"), fill=20),
    course("Time for an hour of data", "Of the newest run that succeeded, divided by its hours.", "s", "/trends",
           (one(f"{_LAST}_seconds_per_data_hour"), BY_PIPELINE)),
    course("Retries", "Runs that failed or were lost since the last good one, and what was owed at the last look.",
           "short", "/runs", (one("pageviews_failed_runs_in_a_row"), f"{BY_PIPELINE} failed in a row"),
           (one("pageviews_tick_owed"), f"{BY_PIPELINE} hours owed")),
    course("Runs that are kept, by outcome", "A gauge: old runs are retired.", "short", "/runs",
           (f"sum by (release, pipeline, outcome) ({one('pageviews_runs')})", "{{release}} {{pipeline}} {{outcome}}")),
    course("Rows and views of the newest hour", "As they were loaded.", "short", "/trends",
           (one(f"{_HOUR}_rows"), "{{release}} rows"), (one(f"{_HOUR}_views"), "{{release}} views")),
    course("What does not agree", "In the newest hour: rejected lines, domains off the control totals. Warned hours.",
           "short", "/quality", (one(f"{_HOUR}_rejected_lines"), "{{release}} rejected lines"),
           (one(f"{_HOUR}_differing_domains"), "{{release}} differing domains"),
           (one("pageviews_hour_warnings"), "{{release}} hours: {{warning}}"),
           (one("pageviews_hour_restatements"), "{{release}} hours restated")),
    course("Lateness of the source", "From the end of the newest complete hour until it was ingested.", "s", "/trends",
           (one("pageviews_source_lateness_seconds"), "{{release}}")),
    course("Peak memory", "Of the newest run that ended; compare it with the limits.", "bytes", "/trends",
           (one(f"{_LAST}_peak_memory_bytes"), BY_PIPELINE)),
    course("Size of the newest hour", "The source's compressed file.", "bytes", "/trends",
           (one(f"{_HOUR}_bytes"), "{{release}}")),
    course("Room in the store", "Of a store that is a folder; S3 has no end.", "bytes", "/about",
           (one("pageviews_store_free_bytes"), "{{release}} free"),
           (one("pageviews_store_size_bytes"), "{{release}} size")),
    course("Credits for an hour of data", "Estimated, on Snowflake alone: statements' seconds at the warehouse's rate.",
           "short", "/trends", (one(f"{_HOUR}_ingest_credits"), "{{release}} load"),
           (one(f"{_HOUR}_transform_credits"), "{{release}} dbt")),
    course("Requests", "Manual runs and backfills that are not settled.", "short", "/requests",
           (one("pageviews_open_requests"), "{{release}}")),
)  # fmt: skip

_VIEWS = "pageviews_newest_published_hour_views"
_MOBILE = one(_VIEWS, 'access=~"mobile|zero"')
DATA = (
    figure("Views in the newest hour", "Of all projects, by all access.", "short", "/insights",
           (f"sum by (release) ({one(_VIEWS)})", "{{release}}"), ((None, "blue"),), "nothing published"),
    figure("Pages in the newest hour", "Rows of the source's file.", "short", "/insights",
           (one(f"{_HOUR}_rows"), "{{release}}"), ((None, "blue"),), "no hour yet"),
    figure("Mobile share", "Of the newest hour's views.", "percentunit", "/insights",
           (f"sum by (release) ({_MOBILE}) / sum by (release) ({one(_VIEWS)})", "{{release}}"),
           ((None, "blue"),), "nothing published"),
    figure("Age of what is shown", "Since the end of the newest complete hour.", "s", "/",
           (age(f"{_HOUR}_timestamp_seconds"), "{{release}}"), GREEN_TO_RED, "no hour yet"),
    course("Views by project", "Of the hour that was newest then; the 20 largest projects, and all others together.",
           "short", "/insights", (f"sum by (release, project) ({one(_VIEWS)})", "{{release}} {{project}}"), fill=20),
    course("Views by access", "Of the hour that was newest then.", "short", "/insights",
           (f"sum by (release, access) ({one(_VIEWS)})", "{{release}} {{access}}"), fill=20),
)  # fmt: skip

_TITLES = """Articles' titles are no labels of metrics: there are millions of them.
The page has what is read most and what is trending:

- [Trending and top articles](${page}/insights)
- [The same as JSON](${page}/api/v1/insights/trending)
"""


def _dashboard(uid: str, title: str, about: str, panels: Sequence[Any]) -> dashboard.Dashboard:
    release = dashboard.QueryVariable("release").label("Release").datasource(_SOURCE)
    release = release.query("label_values(pageviews_build_info, release)")
    release = release.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    release = release.include_all(True).all_value(".*").multi(False)
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    page = dashboard.TextBoxVariable("page").label("Address of the page").default_value("http://127.0.0.1:8080")
    made = dashboard.Dashboard(title).uid(uid).description(about).tags(["pageviews"]).timezone("utc").refresh("1m")
    made = made.time("now-2d", "now").editable().with_variable(source).with_variable(release).with_variable(page)
    x = y = 0
    for panel in panels:
        width = _QUARTER if isinstance(panel, stat.Panel) else _HALF
        if x + width > 24:
            x, y = 0, y + _HEIGHT
        made = made.with_panel(panel.grid_pos(GridPos(x=x, y=y, w=width, h=_HEIGHT)))
        x += width
    return made


def dashboards() -> dict[str, str]:
    """The files' text, by name."""
    titles = text.Panel().title("Top and trending").mode(TextMode.MARKDOWN).content(_TITLES)
    made = {
        "operations": _dashboard("pageviews-operations", "Wikipedia pageviews: operations",
                                 "How fresh the data is, what fails, what it takes.", OPERATIONS),
        "data": _dashboard("pageviews-data", "Wikipedia pageviews: data", "What is read.", (*DATA, titles)),
    }  # fmt: skip
    return {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=1).encode(each.build()) + "\n" for name, each in made.items()
    }


def main() -> None:
    check, stale = sys.argv[1:] == ["--check"], []
    for name, content in dashboards().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != content:
            stale.append(name)
            if not check:
                path.write_text(content)
    if check and stale:
        sys.exit(f"stale: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
