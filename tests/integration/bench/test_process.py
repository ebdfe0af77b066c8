from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.bench.process import CommandFailed, run_measured

HELD = 60 * 1024**2
PARENT_AND_CHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; kept = bytearray({HELD}); print('x'); time.sleep(0.5)"])
kept = bytearray({HELD})
child.wait()
"""


def test_memory_is_that_of_the_process_and_its_children_together(tmp_path: Path) -> None:
    measured = run_measured([sys.executable, "-c", PARENT_AND_CHILD], tmp_path / "log")
    assert measured.peak_bytes > 2 * HELD
    assert measured.seconds >= 0.5
    assert measured.output == "x\n"


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"code 3:\s+no room"):
        run_measured([sys.executable, "-c", "import sys; sys.stderr.write('no room'); sys.exit(3)"], tmp_path / "log")
