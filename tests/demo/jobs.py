"""Running a tick of a job as its users do, and following its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Event = dict[str, Any]


def tick(module: str, environment: Mapping[str, str], log: Path, follow: Callable[[Event], None]) -> int:
    """Runs `python -m <module> run`; each event of its log goes to `follow` and, as a line, to the file `log`."""
    job = subprocess.Popen(
        [sys.executable, "-m", module, "run"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert job.stdout is not None
    with log.open("a") as kept, job.stdout as lines:
        for line in lines:
            kept.write(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue
            follow(event)
    return job.wait()
