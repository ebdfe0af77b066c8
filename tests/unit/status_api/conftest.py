from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.status_api.filled import Filled


@pytest.fixture
def filled() -> Iterator[Filled]:
    filled = Filled()
    yield filled
    filled.close()
