"""Tables of figures, each with what it is compared with and what is aimed at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.process import Measured

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Figure:
    """Of several runs: the medians of times (and the best wall time), the largest peak."""

    name: str
    seconds: float
    best_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    compared_with: float | None = None
    """Seconds of the floor, or of what else the table names."""
    aim: str = ""


def figure(name: str, runs: Sequence[Measured], compared_with: float | None = None, aim: str = "") -> Figure:
    return Figure(
        name,
        median(run.seconds for run in runs),
        min(run.seconds for run in runs),
        median(run.cpu_seconds for run in runs),
        max(run.peak_bytes for run in runs),
        compared_with,
        aim,
    )


def show(console: Console, title: str, figures: Iterable[Figure], *, ratio_to: str) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("", "wall s", "best s", "CPU s", "peak MiB", f"x {ratio_to}", "aim"):
        table.add_column(heading, justify="left" if heading in ("", "aim") else "right")
    for item in figures:
        table.add_row(
            item.name,
            f"{item.seconds:.2f}",
            "" if item.best_seconds is None else f"{item.best_seconds:.2f}",
            "" if item.cpu_seconds is None else f"{item.cpu_seconds:.2f}",
            "" if item.peak_bytes is None else f"{item.peak_bytes / MIB:.0f}",
            "" if not item.compared_with else f"{item.seconds / item.compared_with:.2f}",
            item.aim,
        )
    console.print(table)


def show_parts(console: Console, title: str, parts: Iterable[tuple[str, float]]) -> None:
    """Seconds by name, those of a tenth of a second and more."""
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts if seconds >= 0.1)
    console.print(f"  {title}: {told}", highlight=False, markup=False, soft_wrap=True)


def show_rows(console: Console, title: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """What was measured, the figure with its unit, and the aim."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("aim")
    for row in rows:
        table.add_row(*row)
    console.print(table)
