from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.tools.release import CHANGELOG, PLACES, ROOT, Refused, release, versions

from pageviews_core import __version__


def test_there_is_one_version() -> None:
    assert versions() == {key: {__version__} for key in PLACES}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in (*PLACES, CHANGELOG):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / CHANGELOG).write_text("# Changelog\n\n## Unreleased\n\n- Something.\n\n## 0.0.1 (2026-01-01)\n")
    return tmp_path


def test_a_release_changes_every_place_and_dates_the_changelog(copy: Path) -> None:
    for path, text in release("7.8.9", "2026-11-27", copy).items():
        (copy / path).write_text(text)
    assert versions(copy) == {key: {"7.8.9"} for key in PLACES}
    changelog = (copy / CHANGELOG).read_text()
    assert changelog.startswith("# Changelog\n\n## Unreleased\n\n## 7.8.9 (2026-11-27)\n\n- Something.\n\n## 0.0.1")
    with pytest.raises(Refused, match="says nothing"):
        release("8.0.0", "2026-11-28", copy)


@pytest.mark.parametrize("wrong", ["1.0", "v9.0.0", "9.0.0-rc1", "0.0.9", __version__])
def test_what_is_no_next_version_is_refused(copy: Path, wrong: str) -> None:
    with pytest.raises(Refused):
        release(wrong, "2026-11-27", copy)
