"""The child process: holds the warehouse, builds a batch of hours with dbt, and says what the facts hold.

`python -m transformer.batch FOLDER` reads a Batch from stdin, logs JSON lines to stdout, ends them with its
BatchResult, and leaves dbt's artifacts in FOLDER. Where the Batch ends in a line feed, the end of stdin after it is
the end of the parent, and so of this process.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from pageviews_core.clock import SystemClock
from pageviews_core.decoding.scratch import DISK_FULL, no_room
from pageviews_core.errors import ExitCode, PageviewsError, TransformFailed
from pageviews_core.hour import Hour
from pageviews_core.job.memory import engine_memory
from pageviews_core.logging import configure_logging
from pageviews_core.object_store import open_object_store
from pageviews_core.records.marker import NodeResult, WarehouseCost
from pageviews_core.settings import read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import Warehouse
from transformer.input_rows import Input
from transformer.landed import Landed
from transformer.protocol import Batch, BatchError, BatchResult
from transformer.reconcile import reconcile
from transformer.row_counts import BuiltTable, rows_of_hours
from transformer.settings import TransformerSettings

_PROCESS_MEMORY = 400 * 1024**2
"""The parent, and the child's Python with dbt; measured on the full hour."""

log = structlog.get_logger()


def work(batch: Batch, settings: TransformerSettings, folder: Path) -> BatchResult:
    """Raises the pipeline's errors where the batch as a whole cannot go on."""
    clock = SystemClock()
    memory = engine_memory(settings.memory_limit, taken=_PROCESS_MEMORY)
    warehouse = open_warehouse(settings, clock, engine_memory=memory)
    store = open_object_store(settings)
    result = BatchResult()
    if batch.hours:
        landed = Landed(store, folder, engine_memory=memory, threads=settings.threads)
        result = _built(batch, settings, folder, Input(warehouse, landed, batch.run_id), warehouse, memory)
        if result.overtaken:
            return result
    if batch.publish:
        from transformer.published import publish

        try:
            publish(warehouse, store, settings, clock, run_id=batch.run_id)
            result = result.model_copy(update={"published": True})
        except PageviewsError as exc:
            if not batch.hours:
                raise
            # The hours are built and get their markers; the parent publishes once more, and there it counts.
            log.warning("not_published", error_type=type(exc).__name__, error=str(exc))
    if batch.retire:
        retired = sum(warehouse.retire(each.table, each.column, each.before) for each in batch.retire)
        result = result.model_copy(update={"retired": retired})
    return result


def _built(
    batch: Batch, settings: TransformerSettings, folder: Path, source: Input, warehouse: Warehouse, memory: int
) -> BatchResult:
    ready = source.ready(batch.hours)  # waits while another process has the warehouse
    if not ready.hours:
        return BatchResult(superseded=ready.superseded, failed=ready.failed)
    from transformer.dbt_build import Overtaken, build  # takes a second to import: only where there is something to do

    try:
        built = build(ready.hours, batch.models, settings, folder, run_id=batch.run_id, engine_memory=memory)
    except Overtaken as exc:  # what dbt has half opened by then is closed for certain only by the end of this process
        return BatchResult(overtaken=str(exc))
    facts = reconcile(warehouse, settings.warehouse_schema, ready.hours)
    hours = [item.hour for item in ready.hours]
    return BatchResult(
        superseded=ready.superseded,
        table_rows=_table_rows(warehouse, built.tables, hours) if settings.lineage_url else {},
        failed=ready.failed | facts.failed,
        built=facts.built,
        invocation_id=built.invocation_id,
        nodes=built.nodes,
        cost=_cost(built.nodes, len(ready.hours)) if settings.warehouse == "snowflake" else None,
        warnings=built.warnings,
    )


def _table_rows(warehouse: Warehouse, tables: dict[str, BuiltTable], hours: Sequence[Hour]) -> dict[str, int]:
    try:
        return rows_of_hours(warehouse, tables, hours)
    except PageviewsError as exc:  # no reason to fail hours that are built
        log.warning("rows_not_counted", error_type=type(exc).__name__, error=str(exc))
        return {}


def _cost(nodes: Sequence[NodeResult], hours: int) -> WarehouseCost:
    """An hour's share, at the rate of the warehouse's size."""
    from pageviews_core.warehouse.snowflake_settings import CREDITS_PER_HOUR, SnowflakeSettings

    seconds = sum(node.seconds for node in nodes) / hours
    rate = CREDITS_PER_HOUR[read_settings(SnowflakeSettings).warehouse_size]
    return WarehouseCost(statements=None, seconds=round(seconds, 3), credits=round(seconds * rate / 3600, 6))


def main() -> None:
    folder = Path(sys.argv[1])
    configure_logging("json", "info", service="pageviews-transformer")
    line = sys.stdin.readline()
    if line.endswith("\n"):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        batch = Batch.model_validate_json(line)
        result = work(batch, read_settings(TransformerSettings), folder)
    except PageviewsError as exc:
        result = BatchResult(error=BatchError(type=type(exc).__name__, message=str(exc)))
    except Exception as exc:
        log.exception("batch_failed")
        if isinstance(exc, OSError) and exc.errno in DISK_FULL:
            full = no_room(folder)
            result = BatchResult(error=BatchError(type=type(full).__name__, message=str(full)))
        else:
            message = f"{type(exc).__name__}: {exc}"
            result = BatchResult(error=BatchError(type=TransformFailed.__name__, message=message))
    sys.stdout.write(f"{result.as_line()}\n")  # not as a file: the disk may be full
    sys.stdout.flush()


def _end_with_parent() -> None:
    """A child that nobody reads from would hang on its next word, with the warehouse's file in its hands.

    As abrupt as a kill, which every step must stand anyway.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ExitCode.STOPPED)


if __name__ == "__main__":
    main()
    os._exit(ExitCode.DONE)  # nothing is open any more, and to take dbt's objects apart would take half a second
