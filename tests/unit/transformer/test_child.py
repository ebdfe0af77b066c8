from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from pageviews_core import errors
from pageviews_core.errors import CountsDiffer, PageviewsError, Stopped, TransformFailed, WarehouseUnavailable
from pageviews_core.job.stopping import Stopping
from transformer.child import raised, run_child
from transformer.protocol import Batch, BatchError, BatchResult

NOTHING_TO_DO = Batch(run_id="01JD4Q2Z5V0000000000000001", hours=(), publish=False)


@pytest.fixture
def at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the child run a piece of code before its own."""
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / "data"))

    def write(code: str) -> None:
        folder = tmp_path / "early"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return write


@pytest.fixture(autouse=True)
def no_context() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def test_a_batch_goes_to_a_process_and_its_result_comes_back(tmp_path: Path, at_start: Callable[[str], None]) -> None:
    assert run_child(NOTHING_TO_DO, tmp_path / "batch", Stopping()) == BatchResult()


def test_the_childs_error_comes_back_with_its_kind(
    tmp_path: Path, at_start: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGEVIEWS_THREADS", "many")
    error = run_child(NOTHING_TO_DO, tmp_path / "batch", Stopping()).error
    assert error is not None
    assert error.type == "ConfigurationError"
    assert "PAGEVIEWS_THREADS='many'" in error.message


def test_what_the_child_says_is_passed_on_with_this_process_context(
    tmp_path: Path, at_start: Callable[[str], None]
) -> None:
    at_start(
        """
        print('{"event": "dbt_event", "level": "warning", "model": "fct", "time": "x"}')
        print("not JSON at all")
        print("[1]")
        """
    )
    structlog.contextvars.bind_contextvars(run_id="r")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        run_child(NOTHING_TO_DO, tmp_path / "batch", Stopping())
    assert events[:2] == [
        {"event": "dbt_event", "log_level": "warning", "model": "fct", "run_id": "r"},
        {"event": "batch_output", "log_level": "info", "text": "not JSON at all", "run_id": "r"},
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "out of memory; see PAGEVIEWS_MEMORY_LIMIT"),
        ("import os; os._exit(3)", "ended with code 3"),
    ],
)
def test_a_child_that_died_without_a_word_is_a_failed_batch(
    tmp_path: Path, at_start: Callable[[str], None], code: str, told: str
) -> None:
    at_start(code)
    error = run_child(NOTHING_TO_DO, tmp_path / "batch", Stopping()).error
    assert error is not None
    assert error.type == "TransformFailed"
    assert told in error.message


def test_a_result_that_was_cut_off_is_a_failed_batch(tmp_path: Path, at_start: Callable[[str], None]) -> None:
    at_start("import os; print('batch_result {\"bui', end='', flush=True); os._exit(1)")
    error = run_child(NOTHING_TO_DO, tmp_path / "batch", Stopping()).error
    assert error is not None
    assert error.type == "TransformFailed"


def test_a_stop_ends_the_child(tmp_path: Path, at_start: Callable[[str], None]) -> None:
    at_start("import time; time.sleep(600)")
    stopping = Stopping()
    stopping.ask()
    with pytest.raises(Stopped):
        run_child(NOTHING_TO_DO, tmp_path / "batch", stopping)


@pytest.mark.parametrize("kind", [TransformFailed, CountsDiffer, WarehouseUnavailable, PageviewsError])
def test_an_error_is_raised_as_the_kind_it_was(kind: type[PageviewsError]) -> None:
    error = raised(BatchError(type=kind.__name__, message="why"))
    assert (type(error), str(error)) == (kind, "why")


@pytest.mark.parametrize("name", ["ExitCode", "annotations", "NoSuchError", "__doc__"])
def test_an_error_of_no_known_kind_is_a_bug_with_its_name(name: str) -> None:
    error = raised(BatchError(type=name, message="why"))
    assert (type(error), str(error)) == (PageviewsError, f"{name}: why")
    assert error.exit_code == errors.ExitCode.BUG
