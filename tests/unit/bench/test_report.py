from __future__ import annotations

from io import StringIO

from rich.console import Console
from tests.bench.process import Measured
from tests.bench.report import MIB, figure, show

RUNS = [Measured(seconds, seconds * 2, peak * MIB, "") for seconds, peak in ((3.0, 100), (1.0, 300), (2.0, 200))]


def test_of_several_runs_times_are_medians_and_memory_is_the_largest() -> None:
    found = figure("it", RUNS)
    assert (found.seconds, found.best_seconds, found.cpu_seconds, found.peak_bytes) == (2.0, 1.0, 4.0, 300 * MIB)


def test_a_figure_stands_beside_its_ratio_and_its_aim() -> None:
    console = Console(file=StringIO(), width=120)
    show(console, "Times", [figure("it", RUNS, 4.0, "<= 1")], ratio_to="floor")
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "x floor" in written
    assert "0.50" in written
    assert "<= 1" in written


def test_processes_one_after_the_other_add_their_times_but_not_their_memory() -> None:
    both = RUNS[0].then(RUNS[1])
    assert (both.seconds, both.cpu_seconds, both.peak_bytes) == (4.0, 8.0, 300 * MIB)
