"""What housekeeping needs to know: how long everything is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol


class HousekeepingSettings(Protocol):
    """Ages of hours count from the newest ingested hour, so that a pipeline at rest loses nothing; those of runs from
    now."""

    @property
    def raw_table(self) -> str: ...
    @property
    def retain_raw_rows(self) -> timedelta: ...
    @property
    def retain_staging(self) -> timedelta: ...
    @property
    def retain_facts(self) -> timedelta | None: ...
    @property
    def retain_raw_objects(self) -> timedelta: ...
    @property
    def retain_landing(self) -> timedelta: ...
    @property
    def retain_quarantine(self) -> timedelta: ...
    @property
    def retain_runs(self) -> timedelta: ...
    def scratch_folder(self) -> Path: ...
