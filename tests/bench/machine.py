"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.bench.installation import MEMORY_LIMIT, THREADS
from tests.bench.report import MIB

_CPUINFO = Path("/proc/cpuinfo")


def about_machine() -> str:
    """Two lines."""
    memory = psutil.virtual_memory().total / 1024**3
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core", "dbt-duckdb"))
    return (
        f"{_processor()}, {len(psutil.Process().cpu_affinity() or [])} cores, {memory:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f}; {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{versions}\nEach job: PAGEVIEWS_MEMORY_LIMIT {MEMORY_LIMIT // MIB} MiB, PAGEVIEWS_THREADS {THREADS}."
    )


def _processor() -> str:
    """Python itself knows a processor's name on few systems."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    return _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
