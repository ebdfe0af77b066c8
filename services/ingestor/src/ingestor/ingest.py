"""One hour, from the source to its marker. Every step may be killed and the hour done again from the beginning."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import structlog
from opentelemetry import trace

from ingestor.control_totals import compare, unavailable
from ingestor.read_ahead import ReadAhead
from ingestor.telling import Telling
from ingestor.wikimedia import DownloadCorrupt, Downloaded, DumpsClient, NotModified, NotPublished
from pageviews_core import __version__, keys
from pageviews_core.decoding.decode import Decoded, decode
from pageviews_core.decoding.scratch import writing
from pageviews_core.decoding.unpack import unpack
from pageviews_core.errors import ConfigurationError, SourceCorrupt, SourceUnavailable, TooManyRejects
from pageviews_core.hour import Hour
from pageviews_core.job.session import Session
from pageviews_core.lease import Lease
from pageviews_core.object_store.base import ObjectExists
from pageviews_core.records.marker import ControlTotals, HourObjects, IngestedMarker, LineCounts, SourceFile
from pageviews_core.records.run import HourOutcome
from pageviews_core.tracing import traceparent
from pageviews_core.warehouse.base import HourLoad, Warehouse
from pageviews_core.watermark import Watermark

log = structlog.get_logger()

_REASONS_TOLD = 5
_REJECTS_KEPT = 10_000
"""At least, of an hour that is refused for its rejects; the raw object has them all."""


class Taken(NamedTuple):
    """What came of an hour, and the file that the source has for it, where that is known."""

    outcome: HourOutcome
    source: SourceFile | None
    marker: IngestedMarker | None = None
    """Where it was taken in."""


@dataclass(frozen=True)
class Ingest:
    """How one run takes hours in. `scratch` is the run's own; `engine_memory` in bytes."""

    session: Session
    client: DumpsClient
    read_ahead: ReadAhead
    warehouse: Warehouse
    telling: Telling
    scratch: Path
    max_rejected_share: float
    engine_memory: int
    threads: int

    def hour(
        self, hour: Hour, lease: Lease, *, known: IngestedMarker | None, attempt: int, only_if_changed: bool = False
    ) -> Taken:
        """Downloads, lands and loads the hour, and writes its marker last.

        `known` is the newest marker there is; `only_if_changed` leaves an hour alone whose file is still the same.
        Raises the errors of every part; only the lease's holder gets through to the load and the marker.
        """
        with self.telling.hour(hour, attempt) as tell:
            taken = self._hour(hour, lease, known, attempt, only_if_changed=only_if_changed)
            tell(taken.marker)
        return taken

    def _hour(
        self, hour: Hour, lease: Lease, known: IngestedMarker | None, attempt: int, *, only_if_changed: bool
    ) -> Taken:
        run, started_at = self.session.run, self.session.clock.now()
        source = known.source if known and only_if_changed else None
        with self._folder(hour) as folder:
            with run.step("download", hour):
                found = self._download(hour, folder / "source.gz", source)
            if isinstance(found, NotPublished):
                return Taken(HourOutcome(hour=hour, outcome="not_published"), None)
            if isinstance(found, NotModified):
                return Taken(HourOutcome(hour=hour, outcome="unchanged"), source)
            if source and found.sha256 == source.sha256:
                return Taken(HourOutcome(hour=hour, outcome="unchanged"), _source_file(found))
            run.bytes_downloaded += found.bytes
            return self._take_in(hour, lease, found, folder, known, attempt, started_at)

    def _take_in(
        self,
        hour: Hour,
        lease: Lease,
        found: Downloaded,
        folder: Path,
        known: IngestedMarker | None,
        attempt: int,
        started_at: datetime,
    ) -> Taken:
        session, run = self.session, self.session.run
        raw = keys.raw(hour, found.file_name, found.sha256)
        with run.step("store_raw", hour):
            lease.ensure()
            self._create(raw, found.path)
        with run.step("decode", hour):
            try:
                decoded = self._decode(found, folder)
            except SourceCorrupt as exc:
                exc.evidence = raw
                raise
        rows = LineCounts(lines=decoded.lines, loaded=decoded.rows, rejected=decoded.rejected)
        with run.step("control_totals", hour):
            control = self._control_totals(hour, decoded)
        objects = HourObjects(
            raw=raw,
            landing=keys.landing(hour, run.id),
            quarantine=keys.quarantine(hour, run.id) if decoded.rejected else None,
        )
        with run.step("land", hour):
            lease.ensure()
            if objects.quarantine and decoded.quarantine:
                self._create(objects.quarantine, decoded.quarantine)
            self._refuse_too_many_rejects(hour, decoded, objects.quarantine)
            self._create(objects.landing, decoded.parquet)
        session.stopping.check()
        lease.ensure()
        with run.step("load", hour):
            loaded = self.warehouse.load_hour(
                HourLoad(
                    hour=hour,
                    parquet=decoded.parquet,
                    sha256=found.sha256,
                    generation_floor=_generation_floor(known, found.sha256),
                    rows=decoded.rows,
                    views=decoded.views,
                    run_id=run.id,
                    stage="ingested",
                    fence=lease.fence,
                    landing=objects.landing,
                )
            )
        marker = IngestedMarker(
            hour=hour,
            generation=loaded.generation,
            source=_source_file(found),
            rows=rows,
            views=decoded.views,
            control=control,
            objects=objects,
            run_id=run.id,
            attempt=attempt,
            started_at=started_at,
            finished_at=session.clock.now(),
            traceparent=traceparent(trace.get_current_span()),
            version=__version__,
            cost=loaded.cost,
        )
        with run.step("mark", hour):
            lease.ensure()
            self._mark(marker)
        outcome = HourOutcome(
            hour=hour,
            outcome="done",
            generation=loaded.generation,
            rows=decoded.rows,
            views=decoded.views,
            detail=None if loaded.outcome == "loaded" else loaded.outcome,
        )
        return Taken(outcome, marker.source, marker)

    def _download(self, hour: Hour, to: Path, source: SourceFile | None) -> Downloaded | NotModified | NotPublished:
        if source is None and (ahead := self.read_ahead.take(hour, to)):
            return ahead
        try:
            return self.client.fetch_pageviews(
                hour, to, etag=source.etag if source else None, last_modified=source.last_modified if source else None
            )
        except DownloadCorrupt as exc:
            if exc.file is not None and exc.file.exists():
                with exc.file.open("rb") as file:
                    exc.evidence = keys.evidence(hour, hashlib.file_digest(file, "sha256").hexdigest())
                self._create(exc.evidence, exc.file)
            raise

    def _decode(self, found: Downloaded, folder: Path) -> Decoded:
        unpacked = unpack(found.path, folder / "lines.txt")
        return decode(
            unpacked,
            folder / "pageviews.parquet",
            folder / "quarantine.jsonl",
            memory_limit=self.engine_memory,
            threads=self.threads,
            temp_folder=folder,
            rejects_kept=max(_REJECTS_KEPT, int(self.max_rejected_share * unpacked.lines)),
        )

    def _control_totals(self, hour: Hour, decoded: Decoded) -> ControlTotals:
        try:
            control_file = self.client.fetch_projectviews(hour)
        except (SourceUnavailable, ConfigurationError) as exc:
            return unavailable(str(exc))
        if control_file is None:
            return unavailable("the source has no projectviews file for this hour")
        totals = compare(control_file, decoded.views_by_domain)
        if totals.state == "differs":
            log.warning("control_totals_differ", differing_domains=totals.differing_domains)
        return totals

    def _refuse_too_many_rejects(self, hour: Hour, decoded: Decoded, quarantine: str | None) -> None:
        if decoded.rejected <= self.max_rejected_share * decoded.lines:
            return
        most = sorted(decoded.rejects_by_reason.items(), key=lambda item: -item[1])[:_REASONS_TOLD]
        error = TooManyRejects(
            f"{hour}: {decoded.rejected} of {decoded.lines} lines were rejected "
            f"({', '.join(f'{count} {reason}' for reason, count in most)}), more than the allowed share "
            f"{self.max_rejected_share:.2%}; they are kept in {quarantine}. If the file is right as it is, raise "
            "PAGEVIEWS_MAX_REJECTED_SHARE."
        )
        error.evidence = quarantine
        raise error

    def _create(self, key: str, body: bytes | Path) -> None:
        with suppress(ObjectExists):  # an earlier attempt left the very same content
            self.session.store.create(key, body)

    def _mark(self, marker: IngestedMarker) -> None:
        watermark = Watermark(self.session.journal)
        watermark.lower_to(marker.hour)
        with suppress(ObjectExists):  # the same generation was marked before, from the same file
            self.session.journal.create(keys.marker("ingested", marker.hour, marker.generation), marker)
        watermark.lower_to(marker.hour)  # in case it was raised between the two

    @contextmanager
    def _folder(self, hour: Hour) -> Iterator[Path]:
        folder = self.scratch / str(hour)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _source_file(found: Downloaded) -> SourceFile:
    return SourceFile(
        url=found.url,
        etag=found.etag,
        last_modified=found.last_modified,
        bytes=found.bytes,
        sha256=found.sha256,
    )


def _generation_floor(known: IngestedMarker | None, sha256: str) -> int:
    if known is None:
        return 1
    return known.generation if known.source.sha256 == sha256 else known.generation + 1
