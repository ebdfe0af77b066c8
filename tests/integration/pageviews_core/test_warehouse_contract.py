"""What every adapter of the warehouse promises; each runs through the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fake_clock import FakeClock
from tests.integration.pageviews_core.warehouse_bench import FIRST, HOUR, RAW, RESTATED, WarehouseBench
from tests.tools.snowflake_server import SnowflakeServer, snowflake_server

from pageviews_core.errors import CountsDiffer, LeaseLost, UnknownSchemaVersion
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import LedgerRow
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    with snowflake_server(tmp_path_factory.mktemp("snowflake")) as server:
        yield server


@pytest.fixture(params=["duckdb", "snowflake"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WarehouseBench:
    clock = FakeClock()
    if request.param == "duckdb":
        file = DuckDBFile(
            tmp_path / "warehouse.duckdb", 256 * 1024**2, 2, tmp_path / "temp", timedelta(seconds=5), clock
        )
        return WarehouseBench(
            tmp_path, DuckDBWarehouse(file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS"), clock
        )
    server: SnowflakeServer = request.getfixturevalue("server")
    database = f"T{abs(hash(request.node.nodeid))}"
    for name, value in (server.environment | {"SNOWFLAKE_DATABASE": database}).items():
        monkeypatch.setenv(name, value)
    return WarehouseBench(tmp_path, open_warehouse(read_settings(JobSettings), clock, engine_memory=0), clock)


def test_an_hour_is_loaded_with_its_generation_and_written_to_the_ledger(bench: WarehouseBench) -> None:
    assert bench.load(*FIRST) == (1, "loaded")
    assert bench.raw() == [(1, "de.m", 'Die_"Erde"', 2), (1, "en", "Earth", 3)]
    assert bench.warehouse.ledger([HOUR]) == {HOUR: LedgerRow(1, str(hash(FIRST)), 2, 5)}
    ((at, run_id, fence, loaded_at, version),) = bench.ask(
        "select hour_started_at, run_id, fence, loaded_at, schema_version from WIKIPEDIA.pageviews_ledger"
    )
    assert at == HOUR.started_at.replace(tzinfo=None)
    assert abs(loaded_at - bench.clock.now().replace(tzinfo=None)) < timedelta(seconds=1)
    assert (run_id, fence, version) == ("01JD4Q2Z5V0000000000000001", 1, 1)


def test_the_same_file_again_changes_nothing(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    before = bench.everything()
    assert bench.load(*FIRST) == (1, "unchanged")
    assert bench.everything() == before


def test_a_restated_file_is_the_next_generation_and_replaces_the_one_before(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    assert bench.load(*RESTATED, fence=2) == (2, "loaded")
    assert [row[0] for row in bench.raw()] == [2, 2, 2]
    assert bench.warehouse.ledger([HOUR])[HOUR].generation == 2
    assert bench.load(*FIRST, fence=3) == (3, "loaded")
    assert [row[0] for row in bench.raw()] == [3, 3]


def test_one_hours_load_leaves_the_others_alone(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED, hour=HOUR + 1)
    assert bench.ask(f"select count(*), count(distinct hour_started_at) from {RAW}") == [(5, 2)]
    assert set(bench.warehouse.ledger([HOUR, HOUR + 1, HOUR + 2])) == {HOUR, HOUR + 1}
    assert bench.warehouse.ledger([]) == {}


def test_raw_rows_that_vanished_are_restored_in_the_same_generation(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED)
    bench.execute(f"delete from {RAW}")
    assert bench.warehouse.hours_without_raw_rows([HOUR, HOUR + 1]) == {HOUR}
    assert bench.load(*RESTATED) == (2, "restored")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == set()
    assert bench.ask("select count(*) from WIKIPEDIA.pageviews_ledger") == [(2,)]


def test_raw_rows_of_which_some_vanished_are_restored_whole(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    bench.execute(f"delete from {RAW} where domain_code = 'en'")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == {HOUR}
    assert bench.load(*FIRST) == (1, "restored")
    assert len(bench.raw()) == 2


@pytest.mark.parametrize("changes", [{"rows": 3}, {"views": 6}, {"rows": 1}])
def test_counts_that_differ_from_what_was_parsed_change_nothing(bench: WarehouseBench, changes: dict[str, int]) -> None:
    bench.load(*RESTATED)
    before = bench.everything()
    with pytest.raises(CountsDiffer, match=r"2026-11-20T09: parsed .* took 2 with 5; nothing was changed"):
        bench.load(*FIRST, **changes)
    assert bench.everything() == before


def test_an_hour_without_rows_is_an_hour(bench: WarehouseBench) -> None:
    assert bench.load() == (1, "loaded")
    assert bench.warehouse.ledger([HOUR])[HOUR].rows == 0
    assert bench.load() == (1, "unchanged")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == set()


def test_a_lower_fence_is_refused_and_nothing_is_changed(bench: WarehouseBench) -> None:
    bench.load(*FIRST, fence=5)
    before = bench.everything()
    with pytest.raises(LeaseLost, match="2026-11-20T09: a newer process has claimed this hour; nothing was changed"):
        bench.load(*RESTATED, fence=4)
    assert bench.everything() == before


def test_the_same_fence_may_load_again(bench: WarehouseBench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*RESTATED, fence=5) == (2, "loaded")


def test_a_refused_claim_of_a_newer_process_still_keeps_the_older_out(bench: WarehouseBench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*FIRST, fence=7) == (1, "unchanged")
    with pytest.raises(LeaseLost):
        bench.load(*RESTATED, fence=6)


def test_each_stage_and_each_hour_has_its_own_fence(bench: WarehouseBench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*FIRST, fence=1, hour=HOUR + 1) == (1, "loaded")
    assert bench.load(*FIRST, fence=1, stage="transformed") == (1, "unchanged")


def test_fences_are_prepared_once_each(bench: WarehouseBench) -> None:
    for _ in range(2):
        bench.warehouse.prepare_fences("transformed", [HOUR, HOUR + 1])
    assert bench.ask("select count(*), max(fence) from WIKIPEDIA.pageviews_fence") == [(2, 0)]


def test_an_emptied_warehouse_gives_no_generation_twice(bench: WarehouseBench) -> None:
    assert bench.load(*FIRST, generation_floor=4) == (4, "loaded")
    assert bench.load(*FIRST, generation_floor=4) == (4, "unchanged")
    assert bench.load(*RESTATED, generation_floor=4) == (5, "loaded")
    assert bench.load(*RESTATED, generation_floor=9) == (9, "loaded")
    assert [row[0] for row in bench.raw()] == [9, 9, 9]


def test_restoring_puts_back_the_generation_that_the_marker_names(bench: WarehouseBench) -> None:
    assert bench.load(*FIRST, generation_floor=3, restores=True, stage="transformed") == (3, "loaded")
    bench.execute(f"delete from {RAW}")
    assert bench.load(*FIRST, generation_floor=3, restores=True, stage="transformed") == (3, "restored")


def test_restoring_never_replaces_a_newer_generation(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED)
    before = bench.everything()
    assert bench.load(*FIRST, restores=True, stage="transformed") == (2, "superseded")
    assert bench.everything()[:2] == before[:2]


def test_old_rows_are_retired_by_their_hour(bench: WarehouseBench) -> None:
    for offset in range(3):
        bench.load(*FIRST, hour=HOUR + offset)
    assert bench.warehouse.retire("RAW_WIKIPEDIA_PAGEVIEWS", "hour_started_at", HOUR + 2) == 4
    assert bench.warehouse.retire("RAW_WIKIPEDIA_PAGEVIEWS", "hour_started_at", HOUR + 2) == 0
    assert bench.warehouse.hours_without_raw_rows([HOUR, HOUR + 1, HOUR + 2]) == {HOUR, HOUR + 1}


def test_a_ledger_of_a_newer_version_is_refused_before_anything_is_loaded(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    bench.execute("update WIKIPEDIA.pageviews_ledger set schema_version = 2")
    before = bench.everything()
    for attempt in (
        lambda: bench.load(*RESTATED),
        bench.warehouse.prepare,
        lambda: bench.warehouse.ledger([HOUR]),
        lambda: bench.warehouse.prepare_fences("ingested", [HOUR + 1]),
        lambda: bench.warehouse.hours_without_raw_rows([HOUR]),
    ):
        with pytest.raises(UnknownSchemaVersion, match="schema version 2, this program knows 1"):
            attempt()
    assert bench.everything() == before


def test_reading_returns_column_names_and_binds_parameters(bench: WarehouseBench) -> None:
    bench.load(*FIRST)
    found = bench.warehouse.fetch(f"select page_title as t, count_views from {RAW} where domain_code = ?", ["de.m"])
    assert found == (["t", "count_views"], [('Die_"Erde"', 2)])
