"""Where Wikimedia's dumps keep an hour's two files, below the base URL.

Written from Wikimedia's rules, on purpose without the product's own client: names and folders carry the END of the
hour, so that the last hour of a year lies in the next year's folder.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pageviews_core.hour import Hour

_PAGEVIEWS = re.compile(r"(?:.*/)?pageviews-(\d{8})-(\d{2})0000\.gz")


def month_folder(hour: Hour) -> str:
    """`YYYY/YYYY-MM`."""
    return f"{hour.ended_at:%Y/%Y-%m}"


def pageviews_path(hour: Hour) -> str:
    """`YYYY/YYYY-MM/pageviews-YYYYMMDD-HH0000.gz`."""
    return f"{month_folder(hour)}/pageviews-{hour.ended_at:%Y%m%d-%H}0000.gz"


def projectviews_path(hour: Hour) -> str:
    """`YYYY/YYYY-MM/projectviews-YYYYMMDD-HH0000`: plain text, as the dumps have it."""
    return f"{month_folder(hour)}/projectviews-{hour.ended_at:%Y%m%d-%H}0000"


def hour_of_pageviews(path: str) -> Hour:
    """The hour that a pageviews file holds by its name. Raises ValueError for another name."""
    match = _PAGEVIEWS.fullmatch(path)
    if match is None:
        raise ValueError(f"not the name of an hour's pageviews file: {path!r}")
    ended_at = datetime.strptime("".join(match.groups()), "%Y%m%d%H").replace(tzinfo=UTC)
    return Hour(ended_at - timedelta(hours=1))
