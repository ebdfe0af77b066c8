"""How much memory a job has taken, and how much of its limit the engine may have."""

from __future__ import annotations

import resource
import sys

_UNIT = 1 if sys.platform == "darwin" else 1024
_LEAST_ENGINE = 128 * 1024**2


def peak_memory() -> int:
    """The largest resident size in bytes so far, of this process or of any one child that has ended."""
    return _UNIT * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def engine_memory(limit: int, *, taken: int) -> int:
    """What is left of `limit` for the engine, in bytes, when the rest of the process tree takes `taken`.

    The engine exceeds its own limit by up to a sixth (buffers that it does not count), so that is kept back.
    """
    return max(_LEAST_ENGINE, int((limit - taken) * 6 / 7))
