"""What the demo ends with: hours by state, the same sums at every stage, and what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from pageviews_core.clock import SystemClock
from pageviews_core.failures import Failures
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.markers import newest_generations, read_ingested
from pageviews_core.object_store import open_object_store
from pageviews_core.settings import JobSettings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import Reader

_SCHEMA = "wikipedia"
_MEMORY = 256 * 1024**2

_STAGES = (
    ("raw table", "raw_wikipedia_pageviews", "count_views"),
    ("staging", "stg_wikipedia_pageviews", "view_count"),
    ("facts", "fct_wikipedia_pageviews", "view_count"),
    ("view", "wikipedia_pageviews", "view_count"),
)


@dataclass(frozen=True)
class Totals:
    hours: int
    rows: int
    views: int


def states(journal: Journal, hours: Sequence[Hour]) -> dict[str, list[Hour]]:
    """The hours by state."""
    ingested = newest_generations(journal.store, "ingested", None)
    transformed = newest_generations(journal.store, "transformed", None)
    failed = Failures(journal, "ingested").newest().keys() | Failures(journal, "transformed").newest().keys()
    found: dict[str, list[Hour]] = {}
    for hour in hours:
        if hour in ingested and ingested[hour] == transformed.get(hour):
            state = "complete"
        elif hour in failed:
            state = "failed"
        else:
            state = "ingested" if hour in ingested else "waiting"
        found.setdefault(state, []).append(hour)
    return found


def marked(journal: Journal) -> Totals:
    """By the ingested markers."""
    newest = newest_generations(journal.store, "ingested", None)
    markers = [read_ingested(journal, hour, generation) for hour, generation in newest.items()]
    loaded = [marker for marker in markers if marker is not None]
    return Totals(len(loaded), sum(m.rows.loaded for m in loaded), sum(m.views for m in loaded))


def show(console: Console, settings: JobSettings, hours: Sequence[Hour], served: Totals) -> bool:
    """Prints all of it; True if every hour is complete and every stage agrees with what was served."""
    journal = Journal(open_object_store(settings))
    by_state = states(journal, hours)
    console.print(
        "\n[bold]Hours by state[/]  " + ", ".join(f"{len(found)} {state}" for state, found in by_state.items())
    )
    with open_warehouse(settings, SystemClock(), engine_memory=_MEMORY).reading() as reader:
        totals = [("served by the source", served), ("ingested markers", marked(journal))]
        for name, table, column in _STAGES:
            (row,) = reader.fetch(
                f"select count(distinct hour_started_at), count(*), cast(sum({column}) as bigint) "
                f"from {_SCHEMA}.{table}"
            )[1]
            totals.append((name, Totals(*map(int, row))))
        agree = len({total for _, total in totals}) == 1
        console.print(_totals_table(totals))
        console.print("All stages agree." if agree else "[red]The stages differ.[/]")
        _show_warnings(console, journal)
        _show_pages(console, reader)
    return agree and list(by_state) == ["complete"]


def _totals_table(totals: Sequence[tuple[str, Totals]]) -> Table:
    table = Table("stage", "hours", "rows", "views", title="Reconciliation", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, total in totals:
        table.add_row(name, f"{total.hours:,}", f"{total.rows:,}", f"{total.views:,}")
    return table


def _show_warnings(console: Console, journal: Journal) -> None:
    for hour, generation in sorted(newest_generations(journal.store, "ingested", None).items()):
        marker = read_ingested(journal, hour, generation)
        assert marker is not None
        said = []
        if generation > 1:
            said.append(f"restated by the source, now generation {generation}")
        if marker.attempt > 1:
            said.append(f"loaded at attempt {marker.attempt}")
        if marker.rows.rejected:
            said.append(f"{marker.rows.rejected} of {marker.rows.lines:,} lines rejected and kept in quarantine")
        if marker.control.state == "differs":
            said.append(f"control totals differ in {marker.control.differing_domains} domains")
        if said:
            console.print(f"  {hour}  " + "; ".join(said), highlight=False, soft_wrap=True)


def _show_pages(console: Console, reader: Reader) -> None:
    ((newest,),) = reader.fetch(f"select max(hour_started_at) from {_SCHEMA}.top_pages_hourly")[1]
    top = reader.fetch(
        f"select page_rank, page_title, view_count from {_SCHEMA}.top_pages_hourly "
        "where project = 'en.wikipedia' and hour_started_at = ? order by page_rank limit 5",
        [newest],
    )[1]
    table = Table(
        "rank",
        "article",
        "views",
        title=f"Top of en.wikipedia, {newest:%Y-%m-%d %H}:00 UTC",
        title_justify="left",
    )
    for rank, title, views in top:
        table.add_row(str(rank), title, f"{views:,}")
    console.print(table)
    trending = reader.fetch(
        "select hour_started_at, project, page_title, view_count, baseline_view_count "
        f"from {_SCHEMA}.trending_pages_hourly order by view_count / greatest(baseline_view_count, 1) desc limit 5"
    )[1]
    table = Table("hour (UTC)", "project", "article", "views", "usual", title="Trending", title_justify="left")
    for at, project, title, views, usual in trending:
        table.add_row(f"{at:%Y-%m-%d %H}", project, title, f"{views:,}", f"{usual:,.0f}")
    console.print(table)
