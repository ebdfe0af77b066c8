from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pageviews_core.object_store.file_lock import exclusive


def test_a_lock_that_another_holds_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", patience_seconds=1),
        pytest.raises(TimeoutError, match="locked by another process"),
        exclusive(tmp_path / "lock", patience_seconds=0.01),
    ):
        pass


def test_a_lock_is_free_again_after_use_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "lock", patience_seconds=0):
        raise ZeroDivisionError
    with exclusive(tmp_path / "lock", patience_seconds=0):
        pass


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with exclusive(tmp_path / "lock", patience_seconds=30):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
