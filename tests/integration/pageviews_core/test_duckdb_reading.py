"""Reads that belong together, beside a writer in another process."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pageviews_core.clock import SystemClock
from pageviews_core.errors import PageviewsError
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile

WRITE = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('insert into kept values (2)')"


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    file = DuckDBFile(
        path=tmp_path / "warehouse.duckdb",
        memory_limit=128 * 1024**2,
        threads=1,
        temp_folder=tmp_path / "temporary",
        wait=timedelta(seconds=5),
        clock=SystemClock(),
    )
    with duckdb.connect(file.path) as db:
        db.execute("create table kept as select 1 as number")
    return DuckDBWarehouse(file, schema="wikipedia", raw_table="raw")


def _write(warehouse: DuckDBWarehouse) -> int:
    command = [sys.executable, "-c", WRITE, str(warehouse.file.path)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_nobody_writes_between_the_reads_of_one_reading(warehouse: DuckDBWarehouse) -> None:
    with warehouse.reading() as reader:
        assert reader.fetch("select sum(number) as total from kept where number < ?", [9]) == (["total"], [(1,)])
        assert _write(warehouse) != 0
        assert reader.fetch("select sum(number) as total from kept") == (["total"], [(1,)])
    assert _write(warehouse) == 0
    assert warehouse.fetch("select sum(number) as total from kept") == (["total"], [(3,)])


def test_a_reading_cannot_write_and_its_errors_are_the_pipelines(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(PageviewsError), warehouse.reading() as reader:
        reader.fetch("delete from kept")
    with pytest.raises(PageviewsError, match="no_such_table"), warehouse.reading() as reader:
        reader.fetch("select * from no_such_table")
    assert _write(warehouse) == 0
