"""The articles of PAGEVIEWS_WATCH."""

from __future__ import annotations

import re
from typing import NamedTuple

from pageviews_core.errors import ConfigurationError

WATCHED_AT_MOST = 20
"""Each costs up to 40 ms a publish: it is looked up in every hour of the facts. Above 50 all facts would be scanned."""

# Not str.split: titles hold no-break spaces and other characters that it takes for white space.
_BETWEEN = re.compile(r"[ \t\r\n]+")


class Article(NamedTuple):
    project: str
    title: str


def watched_articles(setting: str) -> tuple[Article, ...]:
    """Each once, in the order given. Raises ConfigurationError that names the setting."""
    articles = []
    for text in filter(None, _BETWEEN.split(setting)):
        project, _, title = text.partition("/")
        if not (project and title):
            raise ConfigurationError(
                f"PAGEVIEWS_WATCH: {text!r} is not an article; write project/Title_with_underscores, such as "
                "en.wikipedia/Earth, with white space between articles"
            )
        articles.append(Article(project, title))
    unique = tuple(dict.fromkeys(articles))
    if len(unique) > WATCHED_AT_MOST:
        raise ConfigurationError(f"PAGEVIEWS_WATCH names {len(unique)} articles; at most {WATCHED_AT_MOST} are allowed")
    return unique
