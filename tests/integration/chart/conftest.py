from __future__ import annotations

import pytest
from tests.integration.chart.rendered import need_helm


@pytest.fixture(autouse=True, scope="module")
def _helm() -> None:
    need_helm()
