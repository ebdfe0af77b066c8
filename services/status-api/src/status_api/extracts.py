"""What is made once and kept: extracts of objects that never change, the last few of each kind."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

V = TypeVar("V")


class Extracts:
    """Safe to use from several threads. Of each kind one thing is made at a time, so that memory stays bounded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kinds: defaultdict[str, tuple[Lock, OrderedDict[Hashable, Any]]] = defaultdict(
            lambda: (Lock(), OrderedDict())
        )

    def get(self, kind: str, key: Hashable, make: Callable[[], V], *, at_most: int) -> V:
        """What `make` returned for the key; the `at_most` used last are kept. Raises what `make` does."""
        with self._lock:
            lock, kept = self._kinds[kind]
        with lock:
            if key in kept:
                kept.move_to_end(key)
            else:
                kept[key] = make()
                while len(kept) > at_most:
                    kept.popitem(last=False)
            value: V = kept[key]
            return value
