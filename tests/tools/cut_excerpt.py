"""Cuts the bundled excerpt out of one real hour of Wikimedia's pageview dumps.

    python -m tests.tools.cut_excerpt pageviews-20180219-100000.gz tests/data/pageviews-20180219-100000.excerpt.gz

The source must be in the Hive dialect and grouped by domain. The same source gives the same bytes each time.
Kept, in the source's order: the most viewed pages and a random share of the tail of chosen domains, the first pages of
every other domain (so that every domain code of the hour is there), and up to `CLASS_LIMIT` lines of each class of
title that has tripped a reader.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

SEED = "wikipedia-pageviews excerpt"
CLASS_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Share:
    """What is kept of a domain: its `top` most viewed pages, and this part of the rest (0 to 1)."""

    top: int
    tail: float


_LARGEST = Share(top=5_000, tail=0.004)
_LARGE = Share(top=1_200, tail=0.003)
_MIDDLE = Share(top=400, tail=0.005)
_SMALL = Share(top=80, tail=0.002)
_OTHER = Share(top=2, tail=0)

_LARGE_WIKIPEDIAS = "de fr ja ru es"
_MIDDLE_WIKIPEDIAS = "it zh pt pl nl ar fa id sv ko cs uk"
_AMBIGUOUS_MOBILE = "am.m az.m be.m br.m ca.m co.m fi.m mk.m no.m se.m th.m tr.m uz.m ve.m"
_SISTERS = (
    "commons.m commons.m.m meta.m meta.m.m incubator.m species.m www.wd m.wd www.w m.w en.b en.d en.m.d en.n en.q en.s"
)
_OTHER_WIKIS = "simple he en.zero en.v en.voy de.d de.s fr.d fr.s"

SHARES = {
    "en": _LARGEST,
    "en.m": _LARGEST,
    **{f"{code}{mobile}": _LARGE for code in _LARGE_WIKIPEDIAS.split() for mobile in ("", ".m")},
    **{f"{code}{mobile}": _MIDDLE for code in _MIDDLE_WIKIPEDIAS.split() for mobile in ("", ".m")},
    **dict.fromkeys(f"{_AMBIGUOUS_MOBILE} {_SISTERS} {_OTHER_WIKIS}".split(), _SMALL),
}

TITLE_CLASSES = {
    "begins with a quote": re.compile(rb'"'),
    "quote inside": re.compile(rb'[^"].*"'),
    "quoted at both ends, as only Hive writes it": re.compile(rb'"[^"]*"$'),
    "backslash": re.compile(rb".*\\"),
    "no-break space": re.compile(rb".*\xc2\xa0"),
    "line separators of Unicode": re.compile(rb".*(\xc2\x85|\xe2\x80[\xa8\xa9])"),
    "beyond the basic plane": re.compile(rb".*[\xf0-\xf4]"),
    "replacement character": re.compile(rb".*\xef\xbf\xbd"),
    "still percent-encoded": re.compile(rb".*%[0-9A-Fa-f]{2}"),
    "unknown page": re.compile(rb"-$"),
    "very long": re.compile(rb".{450}"),
}


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: bytes
    domain: bytes
    title: bytes
    views: int


def cut(source: Iterable[bytes]) -> list[bytes]:
    """The lines kept of `source` (lines with their LF, grouped by domain), in the source's order."""
    chance = random.Random(SEED)
    kept: dict[int, bytes] = {}
    of_class: dict[str, list[Line]] = {name: [] for name in TITLE_CLASSES}
    for domain, group in groupby(_read(source), key=lambda line: line.domain):
        lines = list(group)
        share = SHARES.get(domain.decode(), _OTHER)
        ranked = sorted(lines, key=lambda line: (-line.views, line.title))
        tail = (line for line in ranked[share.top :] if chance.random() < share.tail)
        kept.update((line.number, line.text) for line in (*ranked[: share.top], *tail))
        for line in lines:
            for name in classes_of(line.title):
                of_class[name].append(line)
    for lines in of_class.values():
        kept.update((line.number, line.text) for line in chance.sample(lines, min(CLASS_LIMIT, len(lines))))
    return [kept[number] for number in sorted(kept)]


def classes_of(title: bytes) -> list[str]:
    """The names of the special classes that a raw title belongs to."""
    return [name for name, pattern in TITLE_CLASSES.items() if pattern.match(title)]


def _read(source: Iterable[bytes]) -> Iterator[Line]:
    for number, text in enumerate(source):
        domain, rest = text.split(b" ", 1)
        title, views, _ = rest.rsplit(b" ", 2)
        yield Line(number, text, domain, title, int(views))


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut the bundled excerpt out of one real hour.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    with gzip.open(arguments.source) as source:
        lines = cut(source)
    # No time and no file name in the header, so that cutting again gives the same bytes.
    arguments.target.write_bytes(gzip.compress(b"".join(lines), compresslevel=9, mtime=0))
    print(f"{len(lines):,} lines, {arguments.target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
