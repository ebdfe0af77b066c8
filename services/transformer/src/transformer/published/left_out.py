"""What no ranking shows: pages that are no articles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from pageviews_core.hour import Hour
from pageviews_core.records.published import LeftOut
from transformer.published.marts import Marts

_LEFT_OUT = """
select project, page_kind, cast(sum(view_count) as bigint), cast(sum(row_count) as bigint)
from {schema}.top_pages_left_out_hourly
where hour_started_at between :first and :last
group by project, page_kind
order by 3 desc, page_kind
"""


def left_out_of(marts: Marts, first: Hour, last: Hour) -> Mapping[str, tuple[LeftOut, ...]]:
    """By project, the kinds with most views first; over the hours from `first` to `last`, both included."""
    found: defaultdict[str, list[LeftOut]] = defaultdict(list)
    for project, kind, views, pages in marts.rows(_LEFT_OUT, first=first, last=last):
        found[project].append(LeftOut(kind=kind, views=views, pages=pages))
    return {project: tuple(kinds) for project, kinds in found.items()}


def together(by_project: Mapping[str, tuple[LeftOut, ...]]) -> tuple[LeftOut, ...]:
    """Of all projects, the kinds with most views first."""
    views: defaultdict[str, int] = defaultdict(int)
    pages: defaultdict[str, int] = defaultdict(int)
    for kinds in by_project.values():
        for part in kinds:
            views[part.kind] += part.views
            pages[part.kind] += part.pages
    ranked = sorted(views, key=lambda kind: (-views[kind], kind))
    return tuple(LeftOut(kind=kind, views=views[kind], pages=pages[kind]) for kind in ranked)
