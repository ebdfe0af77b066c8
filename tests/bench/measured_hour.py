"""Which hour is measured: a real full one where FULL_HOUR names its file, else one derived from the bundled excerpt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pageviews_core.hour import Hour
from tests.tools.derived_hours import derive_hour
from tests.tools.dumps_layout import hour_of_pageviews
from tests.tools.excerpt import EXCERPT_HOUR


@dataclass(frozen=True, slots=True)
class MeasuredHour:
    hour: Hour
    pageviews: Path
    projectviews: Path | None
    derived: bool

    @property
    def about(self) -> str:
        size = self.pageviews.stat().st_size / 1e6
        if self.derived:
            return f"{self.hour}, DERIVED from a small excerpt ({size:.1f} MB): set FULL_HOUR for a real full-size hour"
        control = "with its control totals" if self.projectviews else "without control totals"
        return f"{self.hour}, real: {self.pageviews.name} ({size:.1f} MB, {control})"


def real_hour(pageviews: Path) -> MeasuredHour:
    """The file under the source's name; its projectviews file is looked for beside it. Raises ValueError."""
    if not pageviews.is_file():
        raise ValueError(f"FULL_HOUR={pageviews}: there is no such file")
    hour = hour_of_pageviews(pageviews.name)
    control = pageviews.with_name(re.sub(r"^pageviews-(.*)\.gz$", r"projectviews-\1", pageviews.name))
    return MeasuredHour(hour, pageviews.absolute(), control.absolute() if control.is_file() else None, derived=False)


def derived_hour(folder: Path) -> MeasuredHour:
    """Writes the hour's two files into the folder."""
    derived = derive_hour(EXCERPT_HOUR)
    pageviews, projectviews = folder / "pageviews.gz", folder / "projectviews"
    pageviews.write_bytes(derived.pageviews_gz)
    projectviews.write_bytes(derived.projectviews)
    return MeasuredHour(derived.hour, pageviews, projectviews, derived=True)
