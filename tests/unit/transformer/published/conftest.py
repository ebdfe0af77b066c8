from __future__ import annotations

import pytest
from tests.tiny_marts import TinyMarts

from transformer.published.marts import Marts


@pytest.fixture
def tiny() -> TinyMarts:
    return TinyMarts()


@pytest.fixture
def marts(tiny: TinyMarts) -> Marts:
    return Marts(tiny, "wikipedia", "ubigint")
