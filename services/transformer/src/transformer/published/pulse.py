"""`pulse`: the newest hour at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from pageviews_core.hour import Hour
from pageviews_core.records.published import AccessViews, EnteredPage, Mover, Pulse
from transformer.published.marts import Marts, Value, hour_of
from transformer.published.thresholds import Thresholds
from transformer.published.window import Window

_ACCESS = """
select hour_started_at, access, cast(sum(view_count) as bigint)
from {schema}.traffic_hourly
where hour_started_at in (:newest, :hour_before, :day_before, :week_before)
group by hour_started_at, access
order by hour_started_at, 3 desc, access
"""

_ARTICLES = """
select cast(coalesce(sum(view_count), 0) as bigint)
from {schema}.traffic_by_kind_hourly
where hour_started_at = :newest and page_kind = 'article'
"""

# All articles from the floor on are there, so that the first thousand of them are the first thousand of all.
_TOP_ARTICLES = """
select count(*), cast(coalesce(sum(view_count), 0) as bigint)
from (
    select view_count
    from {schema}.page_views_hourly
    where hour_started_at = :newest and is_article and view_count >= :floor
    order by view_count desc
    limit 1000
) as articles
"""

_ENTERED = """
with ranked as (
    select
        hour_started_at, page_key, project, page_title, view_count,
        row_number() over (partition by hour_started_at order by view_count desc, project, page_title) as position
    from {schema}.top_pages_hourly
    where hour_started_at in (:newest, :hour_before) and page_rank <= 50
)

select position, project, page_title, view_count
from ranked
where
    hour_started_at = :newest
    and position <= 50
    and page_key not in (select page_key from ranked where hour_started_at = :hour_before and position <= 50)
order by position
"""

# On keys alone, and the names of what is left at the end: a third of the time.
_MOVERS = """
with changes as (
    select
        page_key,
        cast(sum(case when hour_started_at = :newest then view_count else 0 end) as bigint) as views,
        cast(sum(case when hour_started_at = :day_before then view_count else 0 end) as bigint) as views_before
    from {schema}.page_views_hourly
    where hour_started_at in (:newest, :day_before) and is_article
    group by page_key
),

rising as (
    select page_key, views, views_before
    from changes
    where views > views_before
    order by views - views_before desc, page_key
    limit 10
),

falling as (
    select page_key, views, views_before
    from changes
    where views < views_before
    order by views - views_before, page_key
    limit 10
),

movers as (
    select page_key, views, views_before from rising
    union all
    select page_key, views, views_before from falling
)

select min(pages.project), min(pages.page_title), movers.views, movers.views_before
from movers
inner join {schema}.page_views_hourly as pages
    on movers.page_key = pages.page_key and pages.hour_started_at in (:newest, :day_before)
group by movers.page_key, movers.views, movers.views_before
order by abs(movers.views - movers.views_before) desc, movers.page_key
"""


def read_pulse(marts: Marts, window: Window | None, thresholds: Thresholds) -> Pulse:
    floor = thresholds.hour_floor
    if window is None:
        return Pulse(floor=floor)
    newest = window.newest
    hour_before, day_before, week_before = (window.built(newest + -back) for back in (1, 24, 168))
    names: dict[str, Value] = {
        "newest": newest,
        "hour_before": hour_before,
        "day_before": day_before,
        "week_before": week_before,
        "floor": floor,
    }
    access = _access(marts, names)
    movers = _movers(marts, names) if day_before else ()
    [(article_views,)] = marts.rows(_ARTICLES, **names)
    [(top_articles, top_article_views)] = marts.rows(_TOP_ARTICLES, **names)
    return Pulse(
        hour=newest,
        views=sum(access[newest].values()),
        views_hour_before=_total(access, hour_before),
        views_day_before=_total(access, day_before),
        views_week_before=_total(access, week_before),
        access=tuple(AccessViews(access=name, views=views) for name, views in access[newest].items()),
        mobile_share=_mobile_share(access[newest]),
        article_views=article_views,
        top_articles=top_articles,
        top_article_views=top_article_views,
        entered_top_50=_entered(marts, names) if hour_before else None,
        rising=tuple(page for page in movers if page.views > page.before) if day_before else None,
        falling=tuple(page for page in movers if page.views < page.before) if day_before else None,
        floor=floor,
    )


def _access(marts: Marts, names: Mapping[str, Value]) -> Mapping[Hour, dict[str, int]]:
    found: defaultdict[Hour, dict[str, int]] = defaultdict(dict)
    for at, access, views in marts.rows(_ACCESS, **names):
        found[hour_of(at)][access] = views
    return found


def _total(access: Mapping[Hour, dict[str, int]], hour: Hour | None) -> int | None:
    return sum(access[hour].values()) if hour else None


def _mobile_share(access: Mapping[str, int]) -> float | None:
    mobile = access.get("mobile", 0) + access.get("zero", 0)
    known = mobile + access.get("desktop", 0)
    return round(mobile / known, 4) if known else None


def _entered(marts: Marts, names: Mapping[str, Value]) -> tuple[EnteredPage, ...]:
    return tuple(
        EnteredPage(rank=rank, project=project, title=title, views=views)
        for rank, project, title, views in marts.rows(_ENTERED, **names)
    )


def _movers(marts: Marts, names: Mapping[str, Value]) -> tuple[Mover, ...]:
    return tuple(
        Mover(project=project, title=title, views=views, before=before)
        for project, title, views, before in marts.rows(_MOVERS, **names)
    )
