"""The published results: small extracts of the marts, for readers that have no access to the warehouse.

`published/index.json` names the objects that belong together; each is immutable. In all of them a missing hour or day
is null, never zero. Titles are as in the source: underscores for spaces, nothing decoded or normalised.
"""

from __future__ import annotations

from datetime import date

from pageviews_core.hour import Hour
from pageviews_core.page_key import page_key
from pageviews_core.records.base import Part, Record, Timestamp

SERIES_SHARDS = 64
SERIES_HOURS = 168
SERIES_DAYS = 35

Counts = tuple[int | None, ...]
"""Views of consecutive hours or days, oldest first; null where the hour or day is missing."""


class PublishedRecord(Record):
    """Encoded without white space."""

    def encode(self) -> bytes:
        return self.model_dump_json().encode()


class PublishedObject(Part):
    name: str
    """`pulse`, `trending`, `top`, `traffic` or `series/<shard>`."""
    key: str
    sha256: str
    bytes: int


class PublishedIndex(PublishedRecord):
    """The objects that belong together. A shard of the series that has no article is not named."""

    generated_at: Timestamp
    run_id: str
    newest_hour: Hour | None
    """None: the warehouse holds no hour."""
    objects: tuple[PublishedObject, ...]


class AccessViews(Part):
    access: str
    """`desktop`, `mobile`, `zero` (zero-rated mobile, until 2019-05), `ambiguous` or `unknown`."""
    views: int


class EnteredPage(Part):
    rank: int
    """Among the articles of all projects."""
    project: str
    title: str
    views: int


class Mover(Part):
    project: str
    title: str
    views: int
    before: int
    """A day earlier; 0 stands for fewer than the floor."""


class Pulse(PublishedRecord):
    """The newest hour at a glance. Without any hour all is empty."""

    hour: Hour | None = None
    views: int = 0
    views_hour_before: int | None = None
    views_day_before: int | None = None
    views_week_before: int | None = None
    """Of the same hour a week earlier, as the day before's is of the day before: null where that hour is missing."""
    access: tuple[AccessViews, ...] = ()
    mobile_share: float | None = None
    """Mobile and zero-rated views, of those whose access is known."""
    article_views: int = 0
    top_articles: int = 0
    """1,000, or fewer where fewer have as many views as the floor."""
    top_article_views: int = 0
    """Of the `top_articles` articles with the most views, in all projects."""
    entered_top_50: tuple[EnteredPage, ...] | None = None
    """In the top 50 of all projects, but not an hour before; null where that hour is missing."""
    rising: tuple[Mover, ...] | None = None
    falling: tuple[Mover, ...] | None = None
    """Articles with the largest differences to the same hour a day earlier; null where that hour is missing."""
    floor: int
    """A page with fewer views in an hour than this may be left out."""


class LeftOut(Part):
    """Pages that are no articles and so in no ranking."""

    kind: str
    """`unknown` (the title `-`), `main_page`, `special`, `talk` and so on."""
    views: int
    pages: int
    """Titles by domain code, each counted in every hour."""


class Elsewhere(Part):
    """The same title in another project, in the same hour or day."""

    project: str
    views: int


class TrendingPage(Part):
    project: str
    title: str
    views: int
    baseline: float
    """The median over the hours or days before."""
    baseline_periods: int
    """How many of these were there."""
    ratio: float
    """views / baseline"""
    since: Hour
    """The first hour (or the start of the first day) from which it has been trending in every one that is there."""
    elsewhere: tuple[Elsewhere, ...]
    hours: Counts
    """168 hours up to `newest_hour`; 0 stands for fewer views than the floor."""


class TrendingRule(Part):
    """An article is trending with `ratio` times its baseline, `rise` views more than it, and `views` at the least."""

    ratio: float
    rise: int
    views: int
    baseline_periods: int
    """The baseline is the median over so many hours or days before, of which a missing one is unknown and left out."""
    baseline_periods_needed: int


class TrendingPeriod(Part):
    """By one rule, in one hour or day."""

    starts: Hour
    hours_expected: int
    """1 or 24."""
    hours_present: int
    rule: TrendingRule
    baseline_periods_present: int
    """Where these are fewer than the rule needs, nothing can be trending yet."""
    excluded: tuple[LeftOut, ...]
    found: int
    """All that the rule found; `pages` has those that rose most."""
    pages: tuple[TrendingPage, ...]


class Trending(PublishedRecord):
    newest_hour: Hour | None = None
    """Where the pages' `hours` end."""
    floor: int
    """A page-hour with fewer views is given as 0, unless it was among its project's top articles."""
    hourly: TrendingPeriod | None = None
    daily: TrendingPeriod | None = None


class TopPage(Part):
    rank: int
    title: str
    views: int
    previous_rank: int | None
    """In the hour or day before; null where it was not among the project's first hundred, or nothing is known."""


class TopProject(Part):
    project: str
    views: int
    """Of all its pages."""
    left_out: tuple[LeftOut, ...]
    pages: tuple[TopPage, ...]


class TopPeriod(Part):
    starts: Hour
    hours_expected: int
    """1 or 24."""
    hours_present: int
    previous: Hour | None
    """Start of the hour or day before; null where that is missing, so that no previous rank is known."""
    projects: tuple[TopProject, ...]
    """Those with most views in the last 24 hours first."""


class Top(PublishedRecord):
    """Articles with the most views, of the largest projects: in the newest hour, and on the newest day that is over."""

    hour: TopPeriod | None = None
    day: TopPeriod | None = None


class DefinitionChange(Part):
    """Between these days the source began to count otherwise: a comparison across them should say so."""

    earliest: date
    latest: date
    title: str
    effect: str


class AccessTraffic(Part):
    access: str
    hours: Counts
    days: Counts
    """Sums over the hours that are there; null where none is."""


class ProjectTraffic(Part):
    project: str
    access: tuple[AccessTraffic, ...]


class Traffic(PublishedRecord):
    """Views of all pages: 168 hours, and 35 days that are over. Zero is zero."""

    first_hour: Hour | None = None
    first_day: date | None = None
    day_hours_present: tuple[int, ...] = ()
    """Of 24, day by day."""
    total: tuple[AccessTraffic, ...] = ()
    projects: tuple[ProjectTraffic, ...] = ()
    """The largest of the 168 hours."""
    other: tuple[AccessTraffic, ...] = ()
    """All other projects together."""
    definition_changes: tuple[DefinitionChange, ...]


class ArticleSeries(Part):
    """Zero stands for fewer views than the floor, possibly none; any other number is exact."""

    project: str
    title: str
    hour_floor: int
    """1 for the articles of PAGEVIEWS_WATCH: their zero is zero."""
    hours: Counts
    days: Counts


class Series(PublishedRecord):
    """One shard of the articles that are followed: those in `top`, in `trending` and in PAGEVIEWS_WATCH."""

    first_hour: Hour
    first_day: date
    day_hours_present: tuple[int, ...]
    """Of 24, day by day: a day's views are those of the hours that are there."""
    day_floor: int
    articles: tuple[ArticleSeries, ...]


def series_name(project: str, title: str) -> str:
    """The name of the published object that holds the article, if it is followed: `series/00` to `series/3f`."""
    return f"series/{page_key(project, title) % SERIES_SHARDS:02x}"
