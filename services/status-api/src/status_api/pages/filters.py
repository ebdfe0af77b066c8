"""How the pages write numbers, times and names."""

from __future__ import annotations

from datetime import date, datetime
from urllib.parse import quote

from markupsafe import Markup

from pageviews_core.hour import Hour
from status_api.queries.status import duration

NOTHING = "\N{EN DASH}"


def number(value: float | None) -> str:
    """`6,777,476`; a dash for what is not known."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}" if isinstance(value, float) and value != int(value) else f"{int(value):,}"


def size(value: float | None) -> str:
    """Bytes in the unit that fits: `57 MB`."""
    if value is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def seconds(value: float | None) -> str:
    """`0.4 s`, `12 s`, `1 h 12 min`."""
    if value is None:
        return NOTHING
    return f"{value:.1f} s" if value < 10 else duration(value)


def utc(at: datetime | None) -> Markup | str:
    """`20 Nov 09:00 UTC` as a time element, in which a script may put the reader's own time."""
    if at is None:
        return NOTHING
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at.day} {at:%b %H:%M} UTC")


def hour(value: Hour | None) -> str:
    """`20 Nov 09:00 UTC`: the start of the hour."""
    at = value.started_at if value else None
    return f"{at.day} {at:%b %H:%M} UTC" if at else NOTHING


def day(value: date) -> str:
    return f"{value:%a} {value.day} {value:%b}"


def title(value: str) -> Markup:
    """A page's title for people: underscores are spaces, and its direction is its own."""
    return Markup("<bdi>{}</bdi>").format(value.replace("_", " "))


def article_path(project: str, name: str) -> str:
    return f"/articles/{quote(project, safe='')}/{quote(name, safe='/')}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


def change(value: int, before: int | None) -> Markup | str:
    """`1,204 (+12)`: what it is, and how far from what it was; nothing more where that is not known."""
    if before is None:
        return number(value)
    moved = f"{value - before:+,}".replace("-", "\N{MINUS SIGN}") if value != before else "\N{PLUS-MINUS SIGN}0"
    return Markup('{} <span class="muted">({})</span>').format(number(value), moved)


FILTERS = {
    "change": change,
    "number": number,
    "bytes": size,
    "seconds": seconds,
    "utc": utc,
    "hour": hour,
    "day": day,
    "title": title,
    "percent": percent,
}
