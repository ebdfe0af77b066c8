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

import duckdb
import pytest
from tests.fake_clock import FakeClock
from tests.integration.pageviews_core.warehouse_bench import FIRST, RAW, RESTATED, WarehouseBench

from pageviews_core.clock import Clock, SystemClock
from pageviews_core.errors import (
    ConfigurationError,
    CountsDiffer,
    PageviewsError,
    WarehouseUnavailable,
)
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile


class Bench(WarehouseBench):
    """A warehouse file in a folder, and hours to load into it."""

    warehouse: DuckDBWarehouse

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.file = self.file_at(folder / "warehouse.duckdb")
        self.warehouse = DuckDBWarehouse(self.file, schema="WIKIPEDIA", raw_table="RAW_WIKIPEDIA_PAGEVIEWS")

    def file_at(self, path: Path, *, clock: Clock | None = None, wait: timedelta = timedelta(seconds=5)) -> DuckDBFile:
        return DuckDBFile(path, 256 * 1024**2, 2, self.folder / "temp", wait, clock or self.clock)


def opened(file: DuckDBFile, *, read_only: bool = False) -> None:
    """Opens the file, and closes it again."""
    with file.connect(read_only=read_only):
        pass


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_schema_and_table_take_their_names_from_the_settings(bench: Bench) -> None:
    warehouse = DuckDBWarehouse(bench.file, schema="other", raw_table="hits")
    warehouse.load_hour(bench.hour_load(*FIRST))
    assert warehouse.fetch("select count(*) from other.hits") == (["count_star()"], [(2,)])


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
