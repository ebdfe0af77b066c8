from __future__ import annotations

import os

import pytest
from tests.tools.system_tools import ToolMissing, helm


@pytest.fixture(autouse=True, scope="module")
def _helm() -> None:
    try:
        helm()
    except ToolMissing as exc:
        if os.environ.get("CI"):
            raise  # there it has to be
        pytest.skip(str(exc))
