from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.transformer.housekeeping.house import House

from transformer.housekeeping.work import Work


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def work(house: House) -> Iterator[Work]:
    with house.session() as session:
        yield Work(session)
