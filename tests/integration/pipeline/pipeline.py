"""The whole pipeline in one folder: its jobs as processes, and what they left behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from tests.integration.pipeline.faults import Fault, How
from tests.integration.pipeline.processes import Ended, Job, start_job
from tests.tools.derived_hours import derive_hour
from tests.tools.dumps_server import DumpsServer
from tests.tools.s3_servers import S3Server, use_credentials
from tests.tools.troubles import WithBadLines
from ulid import ULID

from pageviews_core import keys
from pageviews_core.hour import Hour, hour_range
from pageviews_core.journal import Journal
from pageviews_core.lease import LeaseRecord
from pageviews_core.markers import newest_generation, newest_generations, read_ingested, read_transformed
from pageviews_core.object_store.base import ObjectStore
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.failure import Failure
from pageviews_core.records.marker import IngestedMarker, Stage, TransformedMarker
from pageviews_core.records.request import ClosedRequest, Request, RequestKind
from pageviews_core.records.run import Job as JobName
from pageviews_core.records.run import RunRecord
from pageviews_core.requests import Requests

SCALE = 0.02
"""Of the excerpt: about 1,400 rows an hour."""
LEASE_SECONDS = 1.0
USUAL_LEASE_SECONDS = 60.0

Counts = tuple[int, int, int]
"""Generation, rows, views."""

STAGES = {
    "raw_wikipedia_pageviews": "count_views",
    "stg_wikipedia_pageviews": "view_count",
    "fct_wikipedia_pageviews": "view_count",
}
"""Tables with a row for each line of an hour, and their column of views."""


def recent_hours(count: int) -> list[Hour]:
    """The newest hours that have ended, oldest first: by the jobs' own clock, nothing of them is due to be retired."""
    newest = Hour.newest_ended(datetime.now(UTC))
    return list(hour_range(newest + (1 - count), newest + 1))


def derived(hour: Hour, *, generation: int = 1, bad: WithBadLines | None = None) -> Counts:
    """What is to be found everywhere for an hour of the dumps server, whose versions are our generations."""
    source = derive_hour(hour, SCALE, generation)
    more_rows, more_views = (bad.loadable, bad.views) if bad else (0, 0)
    return generation, source.rows + more_rows, source.views + more_views


@dataclass
class Pipeline:
    folder: Path
    server: DumpsServer
    manifest: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables besides the usual ones."""
    _started: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store: ObjectStore = LocalObjectStore(self.folder / "objects")
        self.journal = Journal(self.store)

    def keep_in(self, server: S3Server, url: str, bucket: str) -> None:
        """From now on in the bucket of the server, which the jobs reach at `url`."""
        self.settings |= {
            **server.environment,
            "PAGEVIEWS_S3_ENDPOINT_URL": url,
            "PAGEVIEWS_STORE_URL": f"s3://{bucket}/p",
        }
        use_credentials()
        self.store = server.store(bucket, "p")
        self.journal = Journal(self.store)

    @property
    def database(self) -> Path:
        return self.folder / "warehouse.duckdb"

    def environment(self, **settings: Any) -> dict[str, str]:
        return {
            "LOCAL_DATA_DIR": str(self.folder),
            "PAGEVIEWS_SOURCE_URL": self.server.url,
            "PAGEVIEWS_CONTACT": "tests@localhost",
            "PAGEVIEWS_START": str(self.server.hours[0]),
            "PAGEVIEWS_END": str(self.server.hours[-1]),
            "PAGEVIEWS_LOG_FORMAT": "json",
            "PAGEVIEWS_RETRY_AFTER": "1s",
            "PAGEVIEWS_DBT_MANIFEST": str(self.manifest),
            **self.settings,
            **settings,
        }

    def start(
        self,
        module: JobName,
        *arguments: str,
        fault: Fault | None = None,
        lease: float | None = None,
        **settings: Any,
    ) -> Job:
        """The job with these arguments (`run` if there are none) and settings.

        Its leases end soon if it is to be struck; else they are the usual ones, which no busy machine lets expire.
        """
        lease = lease or (LEASE_SECONDS if fault else USUAL_LEASE_SECONDS)
        self._started += 1
        log = self.folder / f"{self._started:03d}-{module}.log"
        environment = self.environment(**settings)
        return start_job(module, arguments or ("run",), environment, log, fault=fault, lease_ttl=lease)

    def ingest(self, *arguments: str, fault: Fault | None = None, **settings: Any) -> Ended:
        return self.start("ingestor", *arguments, fault=fault, **settings).wait()

    def transform(self, *arguments: str, fault: Fault | None = None, **settings: Any) -> Ended:
        return self.start("transformer", *arguments, fault=fault, **settings).wait()

    @property
    def points(self) -> Path:
        """The file of the points that processes with a fault have come to."""
        return self.folder / "points.txt"

    def points_reached(self) -> list[str]:
        """Each once, in their order."""
        return list(dict.fromkeys(self.points.read_text().splitlines()))

    def fault(self, at: str | None = None, how: How = "kill", *, in_batch: bool = False) -> Fault:
        return Fault(self.points, at, how, in_batch)

    def query(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.database) as connection:
            connection.execute("use wikipedia")
            return connection.execute(sql, list(parameters)).fetchall()

    def counts(self, table: str = "fct_wikipedia_pageviews") -> dict[Hour, list[Counts]]:
        """What the table holds of each hour, one entry for each generation."""
        rows = self.query(
            f"select hour_started_at, generation, count(*), sum({STAGES[table]})::bigint from {table} "
            "group by all order by all"
        )
        found: dict[Hour, list[Counts]] = {}
        for at, *counts in rows:
            found.setdefault(Hour(at.replace(tzinfo=UTC)), []).append((counts[0], counts[1], counts[2]))
        return found

    def ledger(self) -> dict[Hour, list[Counts]]:
        """Every entry of each hour."""
        found: dict[Hour, list[Counts]] = {}
        for at, *counts in self.query(
            "select hour_started_at, generation, row_count, view_count from pageviews_ledger order by all"
        ):
            found.setdefault(Hour(at.replace(tzinfo=UTC)), []).append((counts[0], counts[1], counts[2]))
        return found

    def generations(self, stage: Stage) -> dict[Hour, int]:
        return newest_generations(self.store, stage, None)

    def ingested(self, hour: Hour) -> IngestedMarker:
        marker = read_ingested(self.journal, hour, newest_generation(self.store, "ingested", hour))
        assert marker is not None
        return marker

    def transformed(self, hour: Hour) -> TransformedMarker:
        marker = read_transformed(self.journal, hour, newest_generation(self.store, "transformed", hour))
        assert marker is not None
        return marker

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key for info in self.store.list(prefix)]

    def failures(self, stage: Stage = "ingested") -> list[Failure]:
        return [Failure.decode(self.store.get(key)[0], key) for key in self.keys(keys.failures(stage))]

    def leases(self) -> dict[str, LeaseRecord]:
        return {key: LeaseRecord.decode(self.store.get(key)[0], key) for key in self.keys("leases/")}

    def runs(self, job: JobName | None = None) -> list[RunRecord]:
        """Oldest first."""
        found = [key for key in self.keys("runs/") if key.endswith("/run.json")]
        records = [RunRecord.decode(self.store.get(key)[0], key) for key in found]
        return [record for record in records if job in (None, record.job)]

    def ask(self, kind: RequestKind, *hours: Hour, force: bool = False, cancels: str | None = None) -> Request:
        """Submits a request."""
        request = Request(
            id=str(ULID()),
            kind=kind,
            hours=hours,
            force=force,
            cancels=cancels,
            who="test",
            why="test",
            created_at=datetime.now(UTC),
        )
        Requests(self.journal).submit(request)
        return request

    def closed(self, request: Request) -> ClosedRequest | None:
        found = self.journal.read(keys.closed_request(request.id), ClosedRequest)
        return found and found[0]

    def objects(self, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
        """Every object's content, but for those under the given prefixes."""
        return {key: self.store.get(key)[0] for key in self.keys() if not key.startswith(without or (" ",))}

    def tables(self) -> Mapping[str, list[tuple[Any, ...]]]:
        """Every table's rows, sorted."""
        names = self.query(
            "select table_name from information_schema.tables where table_type = 'BASE TABLE' order by 1"
        )
        return {name: self.query(f"select * from {name} order by all") for (name,) in names}


def whole(hours: Iterable[Hour], *, generation: int = 1, bad: WithBadLines | None = None) -> dict[Hour, list[Counts]]:
    """Each hour exactly once, as the source has it."""
    return {hour: [derived(hour, generation=generation, bad=bad)] for hour in hours}


def only(hour: Hour) -> dict[str, Any]:
    """The settings by which no other hour is owed."""
    return {"PAGEVIEWS_START": str(hour), "PAGEVIEWS_END": str(hour)}
