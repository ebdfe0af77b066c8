"""Which hours and days the published results cover, and which of them are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pageviews_core.hour import Hour, hour_range
from pageviews_core.records.published import SERIES_DAYS, SERIES_HOURS
from transformer.published.marts import Marts, Value, hour_of

_DAY = timedelta(days=1)

_NEWEST_HOUR = "select max(hour_started_at) from {schema}.dim_hour"

# An hour whose build stopped halfway is in some tables only, and a page without a row in it would look like one without
# views. So an hour is there when it is in the last table of each chain. (`in (select …)` takes eight times as long.)
_BUILT_HOURS = """
select distinct hour_started_at from {schema}.top_pages_hourly where hour_started_at between :first and :last
intersect
select distinct hour_started_at from {schema}.traffic_hourly where hour_started_at between :first and :last
"""

_BUILT_DAYS = """
select date_day, max(hours_present)
from {schema}.top_pages_daily
where date_day between :first and :last
group by date_day
"""


@dataclass(frozen=True)
class Window:
    """168 hours up to `newest`, and the 35 days up to the last one that is over by then.

    `hours_built` goes back up to a day further: to the same hour a week ago. `days_built`, with the number of hours in
    each, goes back 28 days further: to the baselines.
    """

    newest: Hour
    hours_built: frozenset[Hour]
    days_built: dict[date, int]

    @property
    def hours(self) -> list[Hour]:
        return list(hour_range(self.newest + (1 - SERIES_HOURS), self.newest + 1))

    @property
    def days(self) -> list[date]:
        return [self.last_day - back * _DAY for back in range(SERIES_DAYS - 1, -1, -1)]

    @property
    def last_day(self) -> date:
        return last_day_over(self.newest)

    @property
    def newest_day(self) -> date | None:
        """The newest day of the window that is built."""
        return max((day for day in self.days if day in self.days_built), default=None)

    @property
    def names(self) -> dict[str, Value]:
        """The values that queries name. Without a built day `day` is null, so that nothing equals it."""
        day = self.newest_day
        return {
            "newest": self.newest,
            "hour_before": self.newest + -1,
            "day_ago": self.newest + -23,
            "first_hour": self.hours[0],
            "first_day": self.days[0],
            "last_day": self.last_day,
            "day": day,
            "day_before": day and day - _DAY,
            "day_start": day and start_of(day),
            "day_end": day and start_of(day) + 23,
        }

    def built(self, hour: Hour) -> Hour | None:
        """The hour, if it is there."""
        return hour if hour in self.hours_built else None


def read_window(marts: Marts) -> Window | None:
    """None: there is no built hour among the newest."""
    [(newest,)] = marts.rows(_NEWEST_HOUR)
    if newest is None:
        return None
    last = hour_of(newest)
    found = marts.rows(_BUILT_HOURS, first=last + (1 - SERIES_HOURS - 24), last=last)
    hours = frozenset(hour_of(at) for (at,) in found)
    if not hours:
        return None
    last_day = last_day_over(max(hours))
    days = marts.rows(_BUILT_DAYS, first=last_day - (SERIES_DAYS + 28 - 1) * _DAY, last=last_day)
    return Window(max(hours), hours, dict(days))


def last_day_over(hour: Hour) -> date:
    """The newest day (UTC) that has ended by the end of the hour."""
    return hour.ended_at.date() - _DAY


def start_of(day: date) -> Hour:
    return Hour(datetime.combine(day, time(), UTC))
