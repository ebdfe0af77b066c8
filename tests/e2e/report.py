"""What was tried, how it went, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable


class Report:
    def __init__(self) -> None:
        self.began = time.monotonic()
        self.failed: list[str] = []
        self.passed = 0

    def title(self, text: str) -> None:
        print(f"\n== {text}", flush=True)

    def step(self, name: str, attempt: Callable[[], str]) -> None:
        """Goes on after a failure: each step leaves what the next one needs, or that one fails for itself."""
        began = time.monotonic()
        try:
            said = attempt()
        except Exception as exc:
            self.failed.append(name)
            print(f"FAILED {name} ({time.monotonic() - began:.0f} s): {type(exc).__name__}: {exc}", flush=True)
        else:
            self.passed += 1
            print(f"ok     {name} ({time.monotonic() - began:.0f} s): {said}", flush=True)

    def end(self) -> int:
        print(f"\n{self.passed} passed, {len(self.failed)} failed in {time.monotonic() - self.began:.0f} s", flush=True)
        return 1 if self.failed else 0
