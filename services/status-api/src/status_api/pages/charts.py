"""Charts as SVG with presentation attributes: what is not known is a gap, and never zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from status_api.pages.filters import number

Values = Sequence[float | None]
_WIDTH, _HEIGHT = 640, 160
_LEFT, _BOTTOM, _TOP = 56, 20, 8
_TICKS = 4
_NAMES_A_ROW, _LEGEND_ROW = 4, 16


@dataclass(frozen=True)
class Mark:
    """A place on the axis of time where the meaning changes."""

    at: int
    """Index of the value."""
    text: str


def nice_ceiling(value: float) -> float:
    """The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if value <= step * power * (1 + 1e-9))


def sparkline(values: Values, label: str, *, width: int = 168, height: int = 28) -> Markup:
    """A line without axes."""
    top = max((value for value in values if value is not None), default=0) or 1
    paths = _paths(values, 0, width, 2, height - 2, top)
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{label}">{paths}</svg>'
    ).format(w=width, h=height, label=label, paths=_lines(paths, "line"))


def line_chart(
    series: Sequence[tuple[str, Values]],
    title: str,
    *,
    unit: str,
    first: str,
    last: str,
    with_median: bool = False,
    marks: Sequence[Mark] = (),
) -> Markup:
    """Lines from left to right; `first` and `last` name the ends of the axis."""
    known = [value for _, values in series for value in values if value is not None]
    top = nice_ceiling(max(known, default=0))
    right, bottom = _WIDTH - 8, _HEIGHT - _BOTTOM
    count = max((len(values) for _, values in series), default=0)
    parts = [_axes(top, unit, first, last, right, bottom)]
    for mark in marks:
        x = _x(mark.at, count, _LEFT, right)
        parts.append(
            Markup('<line class="mark" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"><title>{text}</title></line>').format(
                x=x, top=_TOP, bottom=bottom, text=mark.text
            )
        )
    for index, (name, values) in enumerate(series):
        lines = _lines(_paths(values, _LEFT, right, _TOP, bottom, top), f"line s{index % 6}")
        parts.append(Markup("<g><title>{}</title>{}</g>").format(name, lines))
    if with_median and known:
        middle = median(known)
        y = _y(middle, _TOP, bottom, top)
        parts.append(
            Markup(
                '<line class="median" x1="{l}" x2="{r}" y1="{y}" y2="{y}"><title>median {m} {u}</title></line>'
            ).format(l=_LEFT, r=right, y=y, m=number(round(middle, 1)), u=unit)
        )
    rows = 0
    if len(series) > 1:
        parts.append(_legend([name for name, _ in series]))
        rows = math.ceil(len(series) / _NAMES_A_ROW)
    return _svg(title, Markup("").join(parts), _HEIGHT + rows * _LEGEND_ROW)


def _legend(names: Sequence[str]) -> Markup:
    """Below the axis: each line's colour with its name."""
    parts = []
    for index, name in enumerate(names):
        x = _LEFT + (index % _NAMES_A_ROW) * (_WIDTH - _LEFT) // _NAMES_A_ROW
        y = _HEIGHT + (index // _NAMES_A_ROW) * _LEGEND_ROW + 10
        parts.append(
            Markup(
                '<line class="line s{c}" x1="{x}" x2="{x2}" y1="{y}" y2="{y}"></line>'
                '<text class="label" x="{tx}" y="{ty}">{name}</text>'
            ).format(c=index % 6, x=x, x2=x + 16, y=y, tx=x + 20, ty=y + 4, name=name[:16])
        )
    return Markup("").join(parts)


def share_bar(parts: Sequence[tuple[str, float]], label: str, *, width: int = 240) -> Markup:
    """Proportions of one whole, in classes `part-<name>`."""
    total = sum(value for _, value in parts) or 1
    x, rects = 0.0, []
    for name, value in parts:
        w = width * value / total
        if w:
            rects.append(
                Markup(
                    '<rect class="part-{n}" x="{x:.1f}" y="0" width="{w:.1f}" height="12"><title>{n}: '
                    "{v}</title></rect>"
                ).format(n=name, x=x, w=w, v=number(value))
            )
        x += w
    return Markup(
        '<svg class="share" viewBox="0 0 {w} 12" width="{w}" height="12" role="img" aria-label="{label}">{r}</svg>'
    ).format(w=width, label=label, r=Markup("").join(rects))


def timeline(bars: Sequence[tuple[str, float, float, str]], title: str, *, unit: str = "s") -> Markup:
    """Bars of (name, start, length, class) under each other."""
    end = max((start + length for _, start, length, _ in bars), default=0) or 1
    row, left = 18, 190
    parts = []
    for index, (name, start, length, kind) in enumerate(bars):
        y = index * row
        x, w = left + (_WIDTH - left - 60) * start / end, max(1.5, (_WIDTH - left - 60) * length / end)
        parts.append(
            Markup(
                '<text class="label" x="{lx}" y="{ty}" text-anchor="end">{name}</text>'
                '<rect class="bar {kind}" x="{x:.1f}" y="{y}" width="{w:.1f}" height="12" rx="2"></rect>'
                '<text class="label" x="{vx:.1f}" y="{ty}">{value:.2f} {unit}</text>'
            ).format(
                lx=left - 6,
                ty=y + 11,
                name=_short(name),
                kind=kind,
                x=x,
                y=y + 1,
                w=w,
                vx=x + w + 4,
                value=length,
                unit=unit,
            )
        )
    return _svg(title, Markup("").join(parts), max(row * len(bars), row))


def _svg(title: str, content: Markup, height: int) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{title}">{content}</svg>'
    ).format(w=_WIDTH, h=height, title=title, content=content)


def _axes(top: float, unit: str, first: str, last: str, right: int, bottom: int) -> Markup:
    parts = []
    for step in range(_TICKS + 1):
        value = top * step / _TICKS
        y = _y(value, _TOP, bottom, top)
        parts.append(
            Markup(
                '<line class="axis" x1="{l}" x2="{r}" y1="{y}" y2="{y}"></line><text class="label" x="{lx}" '
                'y="{ty}" text-anchor="end">{v}</text>'
            ).format(l=_LEFT, r=right, y=y, lx=_LEFT - 4, ty=y + 4, v=_tick(value))
        )
    parts.append(
        Markup(
            '<text class="label" x="{l}" y="{y}">{first}</text><text class="label" x="{r}" y="{y}" '
            'text-anchor="end">{last} · {unit}</text>'
        ).format(l=_LEFT, r=right, y=_HEIGHT - 5, first=first, last=last, unit=unit)
    )
    return Markup("").join(parts)


def _tick(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def _paths(values: Values, left: int, right: int, upper: int, lower: int, top: float) -> list[str]:
    """One for each stretch without a gap."""
    paths: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            paths.append([])
        else:
            paths[-1].append(f"{_x(index, len(values), left, right):g},{_y(value, upper, lower, top):g}")
    return [" ".join(points) for points in paths if points]


def _lines(paths: Sequence[str], kind: str) -> Markup:
    found = []
    for points in paths:
        if " " in points:
            found.append(Markup('<polyline class="{}" fill="none" points="{}"></polyline>').format(kind, points))
        else:  # a single value between two gaps
            x, y = points.split(",")
            found.append(Markup('<circle class="{} dot" cx="{}" cy="{}" r="1.5"></circle>').format(kind, x, y))
    return Markup("").join(found)


def _x(index: int, count: int, left: int, right: int) -> float:
    return round(left + (right - left) * (index / (count - 1) if count > 1 else 0.5), 1)


def _y(value: float, upper: int, lower: int, top: float) -> float:
    return round(lower - (lower - upper) * value / top, 1)


def _short(name: str) -> str:
    return name if len(name) <= 30 else name[:29] + "…"
