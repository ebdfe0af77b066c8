from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests import samples
from tests.fake_clock import FakeClock

from pageviews_core.clock import Clock, SystemClock
from pageviews_core.errors import (
    ConfigurationError,
    CountsDiffer,
    LeaseLost,
    PageviewsError,
    UnknownSchemaVersion,
    WarehouseUnavailable,
)
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.base import HourLoad, LedgerRow
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile

HOUR = samples.hour()
RAW = "WIKIPEDIA.RAW_WIKIPEDIA_PAGEVIEWS"


class Bench:
    """A warehouse file in a folder, and hours to load into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.file = self.file_at(folder / "warehouse.duckdb")
        self.warehouse = DuckDBWarehouse(self.file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS")

    def file_at(self, path: Path, *, clock: Clock | None = None, wait: timedelta = timedelta(seconds=5)) -> DuckDBFile:
        return DuckDBFile(path, 256 * 1024**2, 2, self.folder / "temp", wait, clock or self.clock)

    def parquet(self, *rows: tuple[str, str, int]) -> Path:
        path = self.folder / f"{abs(hash(rows))}.parquet"
        with duckdb.connect() as db:
            db.execute("create table t (domain_code varchar, page_title varchar, count_views bigint)")
            if rows:
                db.executemany("insert into t values (?, ?, ?)", [list(row) for row in rows])
            db.execute(f"copy t to '{path}' (format parquet)")
        return path

    def hour_load(self, *rows: tuple[str, str, int], **changes: Any) -> HourLoad:
        load = HourLoad(
            hour=HOUR,
            parquet=self.parquet(*rows),
            sha256=str(hash(rows)),
            generation_floor=1,
            rows=len(rows),
            views=sum(views for _, _, views in rows),
            run_id="01JD4Q2Z5V0000000000000001",
            stage="ingested",
            fence=1,
        )
        return replace(load, **changes)

    def load(self, *rows: tuple[str, str, int], **changes: Any) -> tuple[int, str]:
        loaded = self.warehouse.load_hour(self.hour_load(*rows, **changes))
        return loaded.generation, loaded.outcome

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.warehouse.fetch(sql)[1]

    def raw(self) -> list[tuple[Any, ...]]:
        return self.ask(f"select generation, domain_code, page_title, count_views from {RAW} order by all")

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that a refused load must leave as it was."""
        tables = (RAW, "WIKIPEDIA.pageviews_ledger", "WIKIPEDIA.pageviews_fence")
        return [self.ask(f"select * from {table} order by all") for table in tables]


FIRST = (("en", "Earth", 3), ("de.m", 'Die_"Erde"', 2))
RESTATED = (("en", "Earth", 4), ("en", "Mars\\Phobos", 1), ("fr", "Terre", 1))


def opened(file: DuckDBFile, *, read_only: bool = False) -> None:
    """Opens the file, and closes it again."""
    with file.connect(read_only=read_only):
        pass


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_hour_is_loaded_with_its_generation_and_written_to_the_ledger(bench: Bench) -> None:
    assert bench.load(*FIRST) == (1, "loaded")
    assert bench.raw() == [(1, "de.m", 'Die_"Erde"', 2), (1, "en", "Earth", 3)]
    assert bench.warehouse.ledger([HOUR]) == {HOUR: LedgerRow(1, str(hash(FIRST)), 2, 5)}
    ((at, run_id, fence, loaded_at, version),) = bench.ask(
        "select hour_started_at, run_id, fence, loaded_at, schema_version from WIKIPEDIA.pageviews_ledger"
    )
    assert (at, loaded_at) == (HOUR.started_at.replace(tzinfo=None), bench.clock.now().replace(tzinfo=None))
    assert (run_id, fence, version) == ("01JD4Q2Z5V0000000000000001", 1, 1)


def test_the_same_file_again_changes_nothing(bench: Bench) -> None:
    bench.load(*FIRST)
    before = bench.everything()
    assert bench.load(*FIRST) == (1, "unchanged")
    assert bench.everything() == before


def test_a_restated_file_is_the_next_generation_and_replaces_the_one_before(bench: Bench) -> None:
    bench.load(*FIRST)
    assert bench.load(*RESTATED, fence=2) == (2, "loaded")
    assert [row[0] for row in bench.raw()] == [2, 2, 2]
    assert bench.warehouse.ledger([HOUR])[HOUR].generation == 2
    assert bench.load(*FIRST, fence=3) == (3, "loaded")
    assert [row[0] for row in bench.raw()] == [3, 3]


def test_one_hours_load_leaves_the_others_alone(bench: Bench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED, hour=HOUR + 1)
    assert bench.ask(f"select count(*), count(distinct hour_started_at) from {RAW}") == [(5, 2)]
    assert set(bench.warehouse.ledger([HOUR, HOUR + 1, HOUR + 2])) == {HOUR, HOUR + 1}
    assert bench.warehouse.ledger([]) == {}


def test_raw_rows_that_vanished_are_restored_in_the_same_generation(bench: Bench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED)
    with bench.file.connect() as db:
        db.execute(f"delete from {RAW}")
    assert bench.warehouse.hours_without_raw_rows([HOUR, HOUR + 1]) == {HOUR}
    assert bench.load(*RESTATED) == (2, "restored")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == set()
    assert bench.ask("select count(*) from WIKIPEDIA.pageviews_ledger") == [(2,)]


def test_raw_rows_of_which_some_vanished_are_restored_whole(bench: Bench) -> None:
    bench.load(*FIRST)
    with bench.file.connect() as db:
        db.execute(f"delete from {RAW} where domain_code = 'en'")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == {HOUR}
    assert bench.load(*FIRST) == (1, "restored")
    assert len(bench.raw()) == 2


@pytest.mark.parametrize("changes", [{"rows": 3}, {"views": 6}, {"rows": 1}])
def test_counts_that_differ_from_what_was_parsed_change_nothing(bench: Bench, changes: dict[str, int]) -> None:
    bench.load(*RESTATED)
    before = bench.everything()
    with pytest.raises(CountsDiffer, match=r"2026-11-20T09: parsed .* took 2 with 5; nothing was changed"):
        bench.load(*FIRST, **changes)
    assert bench.everything() == before


def test_an_hour_without_rows_is_an_hour(bench: Bench) -> None:
    assert bench.load() == (1, "loaded")
    assert bench.warehouse.ledger([HOUR])[HOUR].rows == 0
    assert bench.load() == (1, "unchanged")
    assert bench.warehouse.hours_without_raw_rows([HOUR]) == set()


def test_a_lower_fence_is_refused_and_nothing_is_changed(bench: Bench) -> None:
    bench.load(*FIRST, fence=5)
    before = bench.everything()
    with pytest.raises(LeaseLost, match="2026-11-20T09: a newer process has claimed this hour; nothing was changed"):
        bench.load(*RESTATED, fence=4)
    assert bench.everything() == before


def test_the_same_fence_may_load_again(bench: Bench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*RESTATED, fence=5) == (2, "loaded")


def test_a_refused_claim_of_a_newer_process_still_keeps_the_older_out(bench: Bench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*FIRST, fence=7) == (1, "unchanged")
    with pytest.raises(LeaseLost):
        bench.load(*RESTATED, fence=6)


def test_each_stage_and_each_hour_has_its_own_fence(bench: Bench) -> None:
    bench.load(*FIRST, fence=5)
    assert bench.load(*FIRST, fence=1, hour=HOUR + 1) == (1, "loaded")
    assert bench.load(*FIRST, fence=1, stage="transformed") == (1, "unchanged")


def test_fences_are_prepared_once_each(bench: Bench) -> None:
    for _ in range(2):
        bench.warehouse.prepare_fences("transformed", [HOUR, HOUR + 1])
    assert bench.ask("select count(*), max(fence) from WIKIPEDIA.pageviews_fence") == [(2, 0)]


def test_an_emptied_warehouse_gives_no_generation_twice(bench: Bench) -> None:
    assert bench.load(*FIRST, generation_floor=4) == (4, "loaded")
    assert bench.load(*FIRST, generation_floor=4) == (4, "unchanged")
    assert bench.load(*RESTATED, generation_floor=4) == (5, "loaded")
    assert bench.load(*RESTATED, generation_floor=9) == (9, "loaded")
    assert [row[0] for row in bench.raw()] == [9, 9, 9]


def test_restoring_puts_back_the_generation_that_the_marker_names(bench: Bench) -> None:
    assert bench.load(*FIRST, generation_floor=3, restores=True, stage="transformed") == (3, "loaded")
    with bench.file.connect() as db:
        db.execute(f"delete from {RAW}")
    assert bench.load(*FIRST, generation_floor=3, restores=True, stage="transformed") == (3, "restored")


def test_restoring_never_replaces_a_newer_generation(bench: Bench) -> None:
    bench.load(*FIRST)
    bench.load(*RESTATED)
    before = bench.everything()
    assert bench.load(*FIRST, restores=True, stage="transformed") == (2, "superseded")
    assert bench.everything()[:2] == before[:2]


def test_old_rows_are_retired_by_their_hour(bench: Bench) -> None:
    for offset in range(3):
        bench.load(*FIRST, hour=HOUR + offset)
    assert bench.warehouse.retire("RAW_WIKIPEDIA_PAGEVIEWS", "hour_started_at", HOUR + 2) == 4
    assert bench.warehouse.retire("RAW_WIKIPEDIA_PAGEVIEWS", "hour_started_at", HOUR + 2) == 0
    assert bench.warehouse.hours_without_raw_rows([HOUR, HOUR + 1, HOUR + 2]) == {HOUR, HOUR + 1}


def test_a_ledger_of_a_newer_version_is_refused_before_anything_is_loaded(bench: Bench) -> None:
    bench.load(*FIRST)
    with bench.file.connect() as db:
        db.execute("update WIKIPEDIA.pageviews_ledger set schema_version = 2")
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


def test_schema_and_table_take_their_names_from_the_settings(bench: Bench) -> None:
    warehouse = DuckDBWarehouse(bench.file, schema="other", raw_table="hits")
    warehouse.load_hour(bench.hour_load(*FIRST))
    assert warehouse.fetch("select count(*) from other.hits") == (["count_star()"], [(2,)])


def test_reading_returns_column_names_and_binds_parameters(bench: Bench) -> None:
    bench.load(*FIRST)
    found = bench.warehouse.fetch(f"select page_title as t, count_views from {RAW} where domain_code = ?", ["de.m"])
    assert found == (["t", "count_views"], [('Die_"Erde"', 2)])


def test_reading_cannot_write(bench: Bench) -> None:
    bench.load(*FIRST)
    with pytest.raises(PageviewsError, match="read-only"):
        bench.warehouse.fetch(f"delete from {RAW}")
    assert len(bench.raw()) == 2


class Recorder:
    """A connection that notes what it is told."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, said: list[str]) -> None:
        self._connection = connection
        self._said = said

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        self._said.append(" ".join(sql.lower().split()))
        return self._connection.execute(sql, parameters)


@dataclass(frozen=True)
class RecordingFile(DuckDBFile):
    said: list[str] = field(default_factory=list)

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        with super().connect(read_only=read_only) as connection:
            yield Recorder(connection, self.said)  # type: ignore[misc]


def test_a_load_claims_the_fence_first_and_writes_the_ledger_last(bench: Bench) -> None:
    file = RecordingFile(bench.file.path, 256 * 1024**2, 2, bench.folder / "temp", timedelta(0), bench.clock)
    warehouse = DuckDBWarehouse(file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS")
    warehouse.load_hour(bench.hour_load(*FIRST))
    said = file.said
    begin, commit = said.index("begin"), said.index("commit")
    transaction = [statement.split(" ", 3) for statement in said[begin + 1 : commit]]
    assert [" ".join(words[:3]) for words in transaction] == [
        "update wikipedia.pageviews_fence set",
        "select hour_started_at, generation,",
        f"delete from {RAW.lower()}",
        f"insert into {RAW.lower()}",
        "select count(*), coalesce(sum(count_views),",
        "insert into wikipedia.pageviews_ledger",
    ]
    assert said[begin + 1].endswith("and fence <= $fence")
    assert commit == len(said) - 1
    assert not any(
        statement.startswith(("insert into wikipedia.pageviews_fence", "create")) for statement in said[begin:]
    )


HOLD = """
    import duckdb, sys
    with duckdb.connect(sys.argv[1]) as db:
        print("held", flush=True)
        sys.stdin.readline()
"""


@contextmanager
def another_process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs the code, and ends it when the block does; begins once it has said its first word."""
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() != ""
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_another_process_holds_is_waited_for_and_the_holder_named(bench: Bench, read_only: bool) -> None:
    bench.warehouse.prepare()
    with another_process(HOLD, str(bench.file.path)) as holder:
        began = bench.clock.monotonic()
        with pytest.raises(WarehouseUnavailable, match=rf"PID {holder.pid}\b.*PAGEVIEWS_WAREHOUSE_WAIT"):
            opened(bench.file, read_only=read_only)
        assert 5 <= bench.clock.monotonic() - began < 6


def test_a_file_is_opened_as_soon_as_its_holder_closes_it(bench: Bench) -> None:
    bench.warehouse.prepare()
    with another_process(HOLD, str(bench.file.path)) as holder:

        class Releasing(FakeClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if len(self.slept) == 3:
                    holder.communicate("\n", timeout=30)

        file = bench.file_at(bench.file.path, clock=Releasing())
        with file.connect() as db:
            assert db.execute("select 1").fetchone() == (1,)


def test_the_file_is_free_again_after_each_operation_and_each_error(bench: Bench) -> None:
    bench.load(*FIRST)
    with pytest.raises(CountsDiffer):
        bench.load(*RESTATED, rows=99)
    with another_process(HOLD, str(bench.file.path)):
        pass


KILLED_BEFORE_COMMIT = """
    import sys, pickle, time
    from pageviews_core.warehouse.duckdb import DuckDBWarehouse

    class Paused(DuckDBWarehouse):
        def _commit(self, db):
            print("about to commit", flush=True)
            time.sleep(600)

    file, load = pickle.loads(bytes.fromhex(sys.argv[1]))
    Paused(file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS").load_hour(load)
"""


def test_a_process_killed_before_its_commit_leaves_the_state_before(bench: Bench) -> None:
    bench.load(*FIRST)
    before = bench.everything()
    file = bench.file_at(bench.file.path, clock=SystemClock())
    load = bench.hour_load(*RESTATED, fence=2)
    with another_process(KILLED_BEFORE_COMMIT, pickle.dumps((file, load)).hex()) as child:
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert bench.everything() == before
    assert bench.load(*RESTATED, fence=3) == (2, "loaded")


def test_a_process_killed_at_its_first_load_leaves_an_hour_that_can_be_loaded(bench: Bench) -> None:
    file = bench.file_at(bench.file.path, clock=SystemClock())
    load = bench.hour_load(*FIRST)
    with another_process(KILLED_BEFORE_COMMIT, pickle.dumps((file, load)).hex()) as child:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert bench.raw() == []
    assert bench.load(*FIRST) == (1, "loaded")


def _checksum(block: bytes) -> int:
    found = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        found ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return found


def as_a_newer_duckdb_writes(path: Path) -> None:
    """Raises the version number in the file's first block, whose checksum precedes it."""
    with path.open("r+b") as file:
        block = bytearray(file.read(4096))
        struct.pack_into("<Q", block, 12, 9999)
        struct.pack_into("<Q", block, 0, _checksum(bytes(block[8:])))
        file.seek(0)
        file.write(block)


def written(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def overwritten_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (as_a_newer_duckdb_writes, "written by another version of DuckDB"),
        (written(b"hello" * 5000), "is not a DuckDB file; set PAGEVIEWS_DUCKDB_PATH"),
        (written(b"\x1f\x8b"), "is not a DuckDB file; set PAGEVIEWS_DUCKDB_PATH"),
        (overwritten_in_the_middle, "is damaged"),
    ],
)
def test_a_file_that_this_duckdb_cannot_read_is_a_matter_of_configuration(
    bench: Bench, spoil: Callable[[Path], None], said: str
) -> None:
    bench.warehouse.prepare()
    spoil(bench.file.path)
    before = bench.file.path.read_bytes()
    with pytest.raises(ConfigurationError, match=said) as caught:
        bench.load(*FIRST)
    assert str(bench.file.path) in str(caught.value)
    assert bench.file.path.read_bytes() == before


def test_a_folder_in_the_files_place_is_a_matter_of_configuration(bench: Bench) -> None:
    bench.file.path.mkdir()
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_DUCKDB_PATH"):
        bench.warehouse.prepare()


def test_a_file_in_the_folders_place_is_a_matter_of_configuration(bench: Bench) -> None:
    (bench.folder / "occupied").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot create .*occupied"):
        opened(bench.file_at(bench.folder / "occupied/warehouse.duckdb"))


def test_reading_a_warehouse_that_is_not_there_yet_says_so_and_creates_nothing(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="does not exist yet"):
        bench.warehouse.fetch("select 1")
    assert not bench.file.path.exists()


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may write everywhere, so it becomes another user for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_write_permission_is_a_matter_of_configuration(bench: Bench) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "temp").mkdir()
        file = DuckDBFile(folder / "w.duckdb", 256 * 1024**2, 2, folder / "temp", timedelta(0), bench.clock)
        folder.chmod(0o555)
        try:
            with as_an_ordinary_user(), pytest.raises(ConfigurationError, match="cannot be written by this user"):
                opened(file)
        finally:
            folder.chmod(0o755)


def test_a_file_without_write_permission_is_a_matter_of_configuration(bench: Bench) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = DuckDBFile(folder / "w.duckdb", 256 * 1024**2, 2, folder / "temp", timedelta(0), bench.clock)
        opened(file)
        folder.chmod(0o755)
        file.path.chmod(0o444)
        with as_an_ordinary_user(), pytest.raises(ConfigurationError, match="cannot be written by this user"):
            opened(file)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (duckdb.IOException, 'Could not write all bytes to file "x": No space left on device', WarehouseUnavailable),
        (duckdb.OutOfMemoryException, "failed to allocate data of size 16.0 MiB", WarehouseUnavailable),
        (duckdb.IOException, "something passing", WarehouseUnavailable),
        (duckdb.IOException, "Cannot open file: Read-only file system", ConfigurationError),
        (duckdb.BinderException, "no such column", PageviewsError),
    ],
)
def test_errors_of_the_engine_come_out_as_the_pipelines_own(
    bench: Bench, kind: type[duckdb.Error], text: str, expected: type[PageviewsError]
) -> None:
    with pytest.raises(PageviewsError) as caught, bench.file.connect():
        raise kind(text)
    assert type(caught.value) is expected
    assert str(bench.file.path) in str(caught.value)


def test_running_out_of_memory_rolls_back_and_says_which_setting_helps(bench: Bench) -> None:
    bench.load(*FIRST)
    before = bench.everything()
    tight = replace(bench.file, memory_limit=1024**2)
    with pytest.raises(WarehouseUnavailable, match="PAGEVIEWS_MEMORY_LIMIT"), tight.connect() as db:
        db.execute(f"insert into {RAW} select '2026-01-01', 1, 'a', repeat('x', 1000) || i, i from range(1000000) r(i)")
    assert bench.everything() == before


def test_a_commit_that_fails_is_told_by_its_own_error(bench: Bench) -> None:
    class FailingCommit(DuckDBWarehouse):
        def _commit(self, db: duckdb.DuckDBPyConnection) -> None:
            db.execute("rollback")  # as the engine does by itself
            raise duckdb.IOException("No space left on device")

    warehouse = FailingCommit(bench.file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS")
    with pytest.raises(WarehouseUnavailable, match="No space left"):
        warehouse.load_hour(bench.hour_load(*FIRST))


def test_the_settings_choose_file_memory_and_names(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PAGEVIEWS_THREADS", "1")
    monkeypatch.setenv("SNOWFLAKE_SCHEMA", "mine")
    warehouse = open_warehouse(read_settings(JobSettings), bench.clock, engine_memory=200 * 1024**2)
    warehouse.prepare()
    (row,) = warehouse.fetch("select current_setting('threads'), current_setting('memory_limit')")[1]
    assert row == (1, "200.0 MiB")
    assert warehouse.fetch("select count(*) from mine.RAW_WIKIPEDIA_PAGEVIEWS")[1] == [(0,)]
    assert (tmp_path / "data/warehouse.duckdb").exists()
