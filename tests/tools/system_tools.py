"""Where the programs are that `system_tools.sh` has made sure of."""

from __future__ import annotations

import shutil
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / ".tools"


class ToolMissing(Exception):
    """Says what to install."""


def chromium() -> str:
    """Raises ToolMissing."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None) or _own("chromium")
    if found is None:
        raise ToolMissing("Chromium is missing: `make test` gets it, or install your system's package chromium")
    return found


def promtool() -> str:
    """Raises ToolMissing."""
    return _unpacked("promtool", "prometheus")


def prometheus() -> str:
    """Raises ToolMissing."""
    return _unpacked("prometheus", "prometheus")


def alertmanager(program: str = "alertmanager") -> str:
    """Or its `amtool`. Raises ToolMissing."""
    found = shutil.which(program) or _own(program)
    if found is None:
        raise ToolMissing(f"{program} is missing: install Alertmanager, or Go, with which `make test` builds it")
    return found


def helm() -> str:
    """Raises ToolMissing."""
    found = _own("helm") or shutil.which("helm")
    if found is None:
        raise ToolMissing("helm is missing: install it, or Go, with which `make test` builds it")
    return found


def _unpacked(name: str, package: str) -> str:
    found = shutil.which(name) or _own(f"usr/bin/{name}")
    if found is None:
        raise ToolMissing(f"{name} is missing: `make test` gets it, or install Debian's package {package}")
    return found


def _own(name: str) -> str | None:
    path = _FOLDER / name
    return str(path) if path.exists() else None
