from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from tests import samples
from tests.fake_clock import FakeClock
from tests.memory_object_store import InMemoryObjectStore

from pageviews_core.errors import CountsDiffer, LeaseLost
from pageviews_core.hour import Hour
from pageviews_core.warehouse.base import HourLoad
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile
from transformer.input_rows import Input, ReadyHours
from transformer.landed import Landed
from transformer.protocol import BatchHour

HOUR = samples.hour()
RAW = "WIKIPEDIA.RAW"


class Bench:
    """A warehouse, and a store with landed hours of which each row has one view."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = DuckDBFile(folder / "w.duckdb", 256 * 1024**2, 1, folder / "temp", timedelta(0), FakeClock())
        self.file = file
        self.warehouse = DuckDBWarehouse(file, schema="WIKIPEDIA", raw_table="RAW")
        self.store = InMemoryObjectStore()
        (folder / "work").mkdir()

    def landed(self, hour: Hour = HOUR, *, generation: int = 1, rows: int = 2) -> BatchHour:
        """As the ingestor leaves it; not yet in the warehouse."""
        path = self.folder / "landed.parquet"
        with duckdb.connect() as db:
            db.execute(
                f"copy (select 'en' as domain_code, 'page ' || i as page_title, 1::bigint as count_views "
                f"from range({rows}) r(i)) to '{path}' (format parquet)"
            )
        landing = f"landing/{hour.path}/{generation}.parquet"
        self.store.put(landing, path)
        return BatchHour(
            hour=hour, generation=generation, sha256=f"sha-{generation}", rows=rows, views=rows, fence=1,
            landing=landing, raw="raw/x",
        )  # fmt: skip

    def load(self, item: BatchHour) -> BatchHour:
        """As the ingestor does after landing."""
        path = self.folder / "loaded.parquet"
        path.write_bytes(self.store.get(item.landing)[0])
        load = HourLoad(
            hour=item.hour, parquet=path, sha256=item.sha256, generation_floor=1, rows=item.rows, views=item.views,
            run_id="r", stage="ingested", fence=1,
        )  # fmt: skip
        assert self.warehouse.load_hour(load).generation == item.generation
        return item

    def ready(self, *items: BatchHour, warehouse: DuckDBWarehouse | None = None) -> ReadyHours:
        landed = Landed(self.store, self.folder / "work", 200 * 1024**2, 1)
        return Input(warehouse or self.warehouse, landed, "run").ready(items)

    def raw(self) -> list[tuple[object, ...]]:
        return self.warehouse.fetch(f"select generation, count(*) from {RAW} group by all order by all")[1]

    def execute(self, sql: str) -> None:
        with self.file.connect() as db:
            db.execute(sql)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_hours_whose_raw_rows_are_there_are_ready_and_read_nothing_from_the_store(bench: Bench) -> None:
    items = [bench.load(bench.landed(HOUR + offset)) for offset in range(3)]
    bench.store.requests.clear()
    assert bench.ready(*items) == ReadyHours(tuple(items))
    assert dict(bench.store.requests) == {}


def test_retired_rows_are_loaded_again_from_what_was_landed(bench: Bench) -> None:
    item = bench.load(bench.landed())
    bench.execute(f"delete from {RAW}")
    assert bench.ready(item) == ReadyHours((item,))
    assert bench.raw() == [(1, 2)]
    assert list((bench.folder / "work").iterdir()) == []


def test_an_emptied_warehouse_gets_the_rows_in_the_markers_generation(bench: Bench) -> None:
    item = bench.landed(generation=3)
    assert bench.ready(item) == ReadyHours((item,))
    assert bench.raw() == [(3, 2)]
    assert bench.warehouse.ledger([HOUR])[HOUR].generation == 3


def test_a_warehouse_older_than_the_marker_gets_the_markers_generation(bench: Bench) -> None:
    bench.load(bench.landed(rows=2))
    item = bench.landed(generation=2, rows=5)
    assert bench.ready(item) == ReadyHours((item,))
    assert bench.raw() == [(2, 5)]


def test_an_hour_that_a_newer_generation_overtook_is_superseded(bench: Bench) -> None:
    old = bench.load(bench.landed())
    bench.load(bench.landed(generation=2, rows=4))
    assert bench.ready(old) == ReadyHours(superseded={"2026-11-20T09": "generation 2 was loaded meanwhile"})
    assert bench.raw() == [(2, 4)]


class Overtaken(DuckDBWarehouse):
    """Another process loads a newer generation right before the rows are put back."""

    def overtaking(self, bench: Bench) -> Overtaken:
        self._bench: Bench | None = bench
        return self

    def hours_without_raw_rows(self, hours: object) -> set[Hour]:
        found = super().hours_without_raw_rows(hours)  # type: ignore[arg-type]
        if self._bench is not None:
            bench, self._bench = self._bench, None
            bench.load(bench.landed(generation=2, rows=4))
        return found


def test_a_newer_generation_loaded_in_between_is_never_replaced_by_the_older(bench: Bench) -> None:
    old = bench.load(bench.landed())
    bench.execute(f"delete from {RAW}")
    warehouse = Overtaken(bench.file, schema="WIKIPEDIA", raw_table="RAW").overtaking(bench)
    assert bench.ready(old, warehouse=warehouse) == ReadyHours(
        superseded={"2026-11-20T09": "generation 2 was loaded meanwhile"}
    )
    assert bench.raw() == [(2, 4)]
    assert bench.warehouse.ledger([HOUR])[HOUR].generation == 2


def test_an_hour_whose_input_is_gone_fails_alone_and_says_what_helps(bench: Bench) -> None:
    gone, there = bench.load(bench.landed()), bench.load(bench.landed(HOUR + 1))
    bench.execute(f"delete from {RAW}")
    bench.store.delete(gone.landing)
    ready = bench.ready(gone, there)
    assert ready.hours == (there,)
    error = ready.failed["2026-11-20T09"]
    assert error.type == "InputGone"
    assert "pageviews-ingestor hour 2026-11-20T09 --force" in error.message
    assert bench.raw() == [(1, 2)]


def test_what_was_landed_must_hold_what_the_marker_says(bench: Bench) -> None:
    item = bench.landed().model_copy(update={"rows": 3})
    with pytest.raises(CountsDiffer):
        bench.ready(item)


def test_a_process_whose_lease_was_taken_over_restores_nothing(bench: Bench) -> None:
    item = bench.load(bench.landed())
    bench.execute(f"delete from {RAW}")
    newer = item.model_copy(update={"fence": 5})
    bench.ready(newer)
    bench.execute(f"delete from {RAW}")
    with pytest.raises(LeaseLost):
        bench.ready(item)
    assert bench.raw() == []


def test_fences_are_there_before_the_build_needs_them(bench: Bench) -> None:
    bench.ready(bench.load(bench.landed()))
    assert bench.warehouse.fetch("select stage, fence from WIKIPEDIA.pageviews_fence order by stage")[1] == [
        ("ingested", 1),
        ("transformed", 0),
    ]
