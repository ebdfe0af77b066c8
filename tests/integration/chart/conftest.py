from __future__ import annotations

import pytest
from tests.tools.system_tools import ToolMissing, helm


@pytest.fixture(autouse=True, scope="module")
def _helm() -> None:
    try:
        helm()
    except ToolMissing as exc:
        pytest.skip(str(exc))
