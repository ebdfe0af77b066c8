"""What was tried, how it went, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable


class Report:
    """Of one shape; its name stands before each line, since shapes are proved side by side."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed: list[str] = []
        self.passed = 0

    def step(self, what: str, attempt: Callable[[], str]) -> None:
        """Goes on after a failure: each step leaves what the next one needs, or that one fails for itself."""
        began = time.monotonic()
        try:
            said = attempt()
        except Exception as exc:
            self.fail(f"{what} ({time.monotonic() - began:.0f} s)", exc)
        else:
            self.passed += 1
            print(f"{self.name:>8}  ok      {what} ({time.monotonic() - began:.0f} s): {said}", flush=True)

    def fail(self, what: str, exc: Exception) -> None:
        self.failed.append(what)
        print(f"{self.name:>8}  FAILED  {what}: {type(exc).__name__}: {exc}", flush=True)
