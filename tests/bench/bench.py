"""What every section of the bench works with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.bench.measured_hour import MeasuredHour


@dataclass(frozen=True)
class Bench:
    console: Console
    folder: Path
    """Emptied by whoever runs the bench."""
    measured: MeasuredHour
    manifest: Path
    """dbt's, made beforehand."""
    runs: int

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder of a section's own, removed with what is in it when the section ends well."""
        folder = self.folder / name
        folder.mkdir()
        yield folder
        shutil.rmtree(folder)

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
