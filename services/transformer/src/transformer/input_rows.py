"""Before dbt: are the raw rows of just these generations there? Retired ones are loaded again from what was landed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from pageviews_core.errors import InputGone
from pageviews_core.warehouse.base import HourLoad, Warehouse
from transformer.landed import Landed
from transformer.protocol import BatchError, BatchHour

log = structlog.get_logger()


@dataclass(frozen=True)
class ReadyHours:
    hours: tuple[BatchHour, ...] = ()
    superseded: dict[str, str] = field(default_factory=dict)
    failed: dict[str, BatchError] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    warehouse: Warehouse
    landed: Landed
    run_id: str

    def ready(self, hours: Sequence[BatchHour]) -> ReadyHours:
        """Sorts out what cannot be built, and restores what can. Raises LeaseLost, and what warehouse and store do."""
        self.warehouse.prepare_fences("transformed", [item.hour for item in hours])
        ledger = self.warehouse.ledger([item.hour for item in hours])
        superseded: dict[str, str] = {}
        failed: dict[str, BatchError] = {}
        current: list[BatchHour] = []
        for item in hours:
            row = ledger.get(item.hour)
            if row is not None and row.generation > item.generation:
                superseded[str(item.hour)] = _overtaken(row.generation)
            elif row is None or row.generation < item.generation:
                # A marker, but a warehouse that never saw it: an emptied or an older one. Loaded like any lost rows.
                self._restore(item, superseded, failed, current)
            else:
                current.append(item)
        emptied = self.warehouse.hours_without_raw_rows([item.hour for item in current])
        ready: list[BatchHour] = []
        for item in current:
            if item.hour in emptied:
                self._restore(item, superseded, failed, ready)
            else:
                ready.append(item)
        return ReadyHours(tuple(ready), superseded, failed)

    def _restore(
        self, item: BatchHour, superseded: dict[str, str], failed: dict[str, BatchError], ready: list[BatchHour]
    ) -> None:
        try:
            parquet = self.landed.parquet(item)
        except InputGone as exc:
            failed[str(item.hour)] = BatchError(type=type(exc).__name__, message=str(exc))
            return
        loaded = self.warehouse.load_hour(
            HourLoad(
                hour=item.hour,
                parquet=parquet,
                sha256=item.sha256,
                generation_floor=item.generation,
                rows=item.rows,
                views=item.views,
                run_id=self.run_id,
                stage="transformed",
                fence=item.fence,
                restores=True,
            )
        )
        parquet.unlink()
        if loaded.outcome == "superseded":
            superseded[str(item.hour)] = _overtaken(loaded.generation)
            return
        log.info("raw_rows_restored", hour=str(item.hour), generation=loaded.generation, rows=item.rows)
        ready.append(item)


def _overtaken(generation: int) -> str:
    return f"generation {generation} was loaded meanwhile"
