from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.dbt.warehouse import Warehouse, run_dbt


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parsed once, for no file and no hours in particular, as the image's build does it."""
    folder = tmp_path_factory.mktemp("manifest")
    result = run_dbt(folder / "none", folder, ["parse"], {})
    assert result.success, result.error
    return folder / "target" / "partial_parse.msgpack"


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path, manifest)
    warehouse.create()
    return warehouse
