"""Derives any hour's files from the bundled excerpt: DERIVED data, never Wikimedia's figures.

Titles and domains are real (but for `_SPARK_ONLY`), counts are made up: each is drawn around the excerpt's count times
the daily curve times a spike, if any, so that rare pages come and go from hour to hour. The same hour, scale and
version always give the same bytes. The dialect is the one that the producer used at the hour's date.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, groupby
from math import exp, sqrt
from operator import attrgetter
from random import Random

from pageviews_core.hour import Hour
from tests.tools.daily_curve import relative_activity
from tests.tools.dialects import Dialect, Row, dialect_of, spark_line
from tests.tools.excerpt import excerpt_rows
from tests.tools.spikes import SPIKE_TITLES, spikes_at

_ZERO_RATED_UNTIL = Hour.parse("2019-05-01T00")

# Forms that only the newer dialect has, and so a file of 2018 cannot show: no domain (Wikifunctions) and no title.
_SPARK_ONLY = (
    Row(b"", b"Special:ListObjectsByType", 3),
    Row(b"", b"Wikifunctions:Main_Page", 40),
    Row(b"", b"Z801", 6),
    Row(b"en.m", b"", 4),
)

_RESTATED_SHARE = 0.97  # a restatement mostly takes views away: automata found later
_DRAWN_FROM_TABLE = 25  # up to this base count the exact distribution; above it a normal one is as good
_DOMAIN_NOISE = 0.03  # an hour is up to this much busier or quieter than the curve says
_ARTICLE_NOISE = 0.05  # and a page that many read this much more or less popular than chance alone would make it


@dataclass(frozen=True, slots=True)
class DerivedHour:
    """An hour's two files as the dumps would serve them: `rows` lines with `views` views in all."""

    hour: Hour
    version: int
    pageviews_gz: bytes
    projectviews: bytes
    rows: int
    views: int


@dataclass(frozen=True, slots=True)
class _Domain:
    """One domain's pages: `starts[i]` is a line as far as its count, `bases[i]` its views in the excerpt."""

    code: bytes
    starts: tuple[bytes, ...]
    bases: tuple[int, ...]
    spiking: dict[bytes, int]  # the place of each title that may spike


def derive_hour(hour: Hour, scale: float = 1.0, version: int = 1) -> DerivedHour:
    """The hour's files with about `scale` (0 < scale <= 1) of the excerpt's pages, 40,000 to 60,000 rows at 1.

    Version 2 and above are restatements: other counts, and fewer. Raises ValueError for another scale or version.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
    if version < 1:
        raise ValueError(f"versions count from 1, not {version}")
    chance = Random(f"{hour} {scale} {version}")
    write = dialect_of(hour)
    restated = _RESTATED_SHARE ** (version - 1)
    lines: list[bytes] = []
    totals: list[bytes] = []
    views = 0
    for domain in _domains(write, hour < _ZERO_RATED_UNTIL, scale):
        busy = (
            relative_activity(domain.code.decode(), hour)
            * restated
            * chance.uniform(1 - _DOMAIN_NOISE, 1 + _DOMAIN_NOISE)
        )
        counts = _draw(domain.bases, round(busy, 2), chance)
        for spike in spikes_at(hour):
            place = domain.spiking.get(spike.title.encode())
            if place is not None:
                counts[place] = round(domain.bases[place] * busy * spike.factor(hour) * chance.uniform(0.9, 1.1))
        lines += [b"%s%d 0\n" % pair for pair in zip(domain.starts, counts, strict=True) if pair[1]]
        if total := sum(counts):
            totals.append(write(Row(domain.code, b"-", total)))
            views += total
    # A fast level: an hour is made in a fraction of a second, and nothing is measured by its size.
    return DerivedHour(hour, version, gzip.compress(b"".join(lines), 1, mtime=0), b"".join(totals), len(lines), views)


@lru_cache(maxsize=4)
def _domains(write: Dialect, zero_rated: bool, scale: float) -> tuple[_Domain, ...]:
    rows = [row for row in excerpt_rows() if zero_rated or b".zero" not in row.domain_code]
    if write is spark_line:
        rows = sorted([*_SPARK_ONLY, *rows], key=attrgetter("domain_code"))
    spiking = {title.encode() for title in SPIKE_TITLES}
    # Evenly spread over the file, so that a small hour still has every large domain in it.
    kept = [row for at, row in enumerate(rows) if int((at + 1) * scale) > int(at * scale) or row.page_title in spiking]
    return tuple(_domain(code, list(group), write) for code, group in groupby(kept, key=attrgetter("domain_code")))


def _domain(code: bytes, rows: list[Row], write: Dialect) -> _Domain:
    places = {row.page_title: place for place, row in enumerate(rows)}
    return _Domain(
        code,
        starts=tuple(write(row._replace(count_views=0)).removesuffix(b"0 0\n") for row in rows),
        bases=tuple(row.count_views for row in rows),
        spiking={title: places[title] for title in map(str.encode, SPIKE_TITLES) if title in places},
    )


def _draw(bases: tuple[int, ...], busy: float, chance: Random) -> list[int]:
    """A count for each base, around `base * busy`; 0 where nobody came."""
    tables, uniform, gauss = _poisson_tables(busy), chance.random, chance.gauss
    return [
        bisect_left(tables[base], uniform())
        if base <= _DRAWN_FROM_TABLE
        else max(0, round(base * busy + gauss(0, sqrt(base * busy) + _ARTICLE_NOISE * base * busy)))
        for base in bases
    ]


@cache
def _poisson_tables(busy: float) -> list[list[float]]:
    """For each small base, the chances of at most 0, 1, 2, ... views when `base * busy` are expected."""
    return [_poisson_table(base * busy) for base in range(_DRAWN_FROM_TABLE + 1)]


def _poisson_table(expected: float) -> list[float]:
    chances = [exp(-expected)]
    for views in range(1, round(expected + 8 * sqrt(expected)) + 8):
        chances.append(chances[-1] * expected / views)
    return list(accumulate(chances))
