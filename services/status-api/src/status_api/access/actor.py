"""Somebody who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "operator"]


@dataclass(frozen=True, slots=True)
class Actor:
    name: str
    """`anonymous`, a token's name, or what a trusted proxy says."""
    role: Role
    address: str | None
    via: Literal["anonymous", "token", "session", "proxy", "command"]

    @property
    def may_change(self) -> bool:
        return self.role == "operator"
