"""A product of its own in an empty folder, run as its users run it: one cold process for each tick."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pageviews_core import keys
from pageviews_core.hour import Hour
from pageviews_core.journal import Journal
from pageviews_core.object_store.base import ObjectStore
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.control import Tick
from pageviews_core.records.run import Job, RunRecord
from tests.bench.process import Measured, run_measured

MEMORY_LIMIT = 1024**3
THREADS = 2
_KEPT = "3650d"


class JobTick(NamedTuple):
    measured: Measured
    record: Tick


class HourCost(NamedTuple):
    ingest: JobTick
    transform: JobTick

    @property
    def both(self) -> Measured:
        return self.ingest.measured.then(self.transform.measured)


@dataclass
class Installation:
    """`folder` holds everything: objects, warehouse, scratch, logs."""

    folder: Path
    source_url: str
    manifest: Path
    start: Hour
    end: Hour
    extra: Mapping[str, str] = field(default_factory=dict)
    store: ObjectStore | None = None
    """Where the objects are, if not in the folder; `extra` tells the jobs."""

    @property
    def journal(self) -> Journal:
        return Journal(self.store or LocalObjectStore(self.folder / "objects"))

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    def keep_house(self) -> None:
        """An idle tick, so that the day's housekeeping is behind us: it is not part of an hour's cost."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tick("transformer")

    def take_in(self, hour: Hour) -> HourCost:
        """One hour through both jobs. Raises RuntimeError unless it is complete afterwards."""
        self.end = hour
        cost = HourCost(self.tick("ingestor"), self.tick("transformer"))
        for job, tick in (("ingestor", cost.ingest), ("transformer", cost.transform)):
            done = (
                [item.hour for item in self.run_of(tick).hours if item.outcome == "done"] if tick.record.run_id else []
            )
            if done != [hour]:
                raise RuntimeError(f"the {job} was to do {hour}, and did {list(map(str, done))}; see {self.folder}")
        return cost

    def tick(self, job: Job) -> JobTick:
        """Raises CommandFailed."""
        command = [str(Path(sys.executable).with_name(f"pageviews-{job}")), "run"]
        measured = run_measured(command, self.folder / f"{job}.log", self.environment())
        with (self.folder / f"{job}.log").open("a") as log:
            log.write(measured.output)
        found = self.journal.read(keys.tick(job), Tick)
        assert found
        return JobTick(measured, found[0])

    def run_of(self, tick: JobTick) -> RunRecord:
        assert tick.record.run_id
        found = self.journal.read(keys.run_record(tick.record.run_id), RunRecord)
        assert found
        return found[0]

    def environment(self) -> dict[str, str]:
        return {
            "LOCAL_DATA_DIR": str(self.folder),
            "PAGEVIEWS_SOURCE_URL": self.source_url,
            "PAGEVIEWS_CONTACT": "bench@localhost",
            "PAGEVIEWS_START": str(self.start),
            "PAGEVIEWS_END": str(self.end),
            "PAGEVIEWS_LOG_FORMAT": "json",
            "PAGEVIEWS_MEMORY_LIMIT": f"{MEMORY_LIMIT}B",
            "PAGEVIEWS_THREADS": str(THREADS),
            "PAGEVIEWS_DBT_MANIFEST": str(self.manifest),
            # The hours are old ones, and would be cleared away as such.
            **{f"PAGEVIEWS_RETAIN_{what}": _KEPT for what in ("RAW_ROWS", "STAGING", "RAW_OBJECTS", "LANDING", "RUNS")},
            **self.extra,
        }


def prepare_manifest(folder: Path) -> Path:
    """The dbt project parsed beforehand, as it is in an image; returns the manifest's file."""
    command = [str(Path(sys.executable).with_name("pageviews-transformer")), "prepare", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.msgpack"))


def events(measured: Measured) -> list[dict[str, object]]:
    """A job's log."""
    return [json.loads(line) for line in measured.output.splitlines() if line.startswith("{")]
