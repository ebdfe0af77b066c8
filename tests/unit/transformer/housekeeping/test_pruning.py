from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.transformer.housekeeping.house import DAY, NEWEST, NOW, House, KeepAll, ulid_at

from pageviews_core import keys
from transformer.housekeeping.pruning import prune
from transformer.housekeeping.work import Work


def _change(house: House, at: datetime) -> str:
    key = keys.change(ulid_at(at))
    house.memory.put(key, b"{}")
    return key


def _folder(scratch: Path, name: str, modified_at: datetime) -> Path:
    folder = scratch / "ingestor" / name
    inner = folder / str(NEWEST)
    inner.mkdir(parents=True)
    file = inner / "source.gz"
    file.write_bytes(b"1")
    for path in (file, inner, folder):
        os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
    return folder


def test_changes_go_after_seven_days_and_leave_no_change(house: House, work: Work) -> None:
    old = [_change(house, NOW - 7 * DAY - timedelta(seconds=seconds)) for seconds in (1, 100)]
    young = _change(house, NOW - 7 * DAY)
    prune(work, KeepAll())
    assert house.keys(keys.CHANGES) == [young]
    assert work.counts["changes"] == len(old)


@pytest.mark.parametrize(
    ("prefix", "keep", "counted_as"),
    [("notes/2026-11-20T09/", 120 * DAY, "notes"), ("audit/2026/01/01/", KeepAll().retain_runs, "audit_entries")],
)
def test_what_people_wrote_goes_at_its_age(
    house: House, work: Work, prefix: str, keep: timedelta, counted_as: str
) -> None:
    old, young = (f"{prefix}{ulid_at(at)}.json" for at in (NOW - keep - timedelta(seconds=1), NOW - keep))
    stray = f"{prefix}stray.json"
    for key in (old, young, stray):
        house.memory.put(key, b"{}")
    prune(work, KeepAll())
    assert house.keys(prefix) == [young, stray]
    assert work.counts[counted_as] == 1


def test_changes_that_have_no_age_are_left_alone(house: House, work: Work) -> None:
    house.memory.put("changes/0-mine.json", b"{}")
    _change(house, NOW - 8 * DAY)
    prune(work, KeepAll())
    assert house.keys(keys.CHANGES) == ["changes/0-mine.json"]


def test_scratch_of_a_run_that_died_a_day_ago_goes(work: Work, tmp_path: Path) -> None:
    at = NOW - 2 * DAY
    dead = _folder(tmp_path, ulid_at(at), at)
    prune(work, KeepAll(scratch=tmp_path))
    assert not dead.exists()
    assert work.counts["scratch_folders"] == 1


def test_scratch_that_may_be_in_use_stays(work: Work, tmp_path: Path) -> None:
    began_lately = _folder(tmp_path, ulid_at(NOW - DAY / 2), NOW - 2 * DAY)
    at_work = _folder(tmp_path, ulid_at(NOW - 2 * DAY), NOW - DAY / 2)
    prune(work, KeepAll(scratch=tmp_path))
    assert began_lately.exists()
    assert at_work.exists()


def test_what_is_no_runs_folder_stays(work: Work, tmp_path: Path) -> None:
    manifest = _folder(tmp_path, "manifest", NOW - 99 * DAY)
    file = tmp_path / "ingestor" / ulid_at(NOW - 3 * DAY)
    file.write_bytes(b"")
    prune(work, KeepAll(scratch=tmp_path))
    assert manifest.exists()
    assert file.exists()


def test_a_stores_own_temporary_files_are_swept(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    swept_at: list[datetime] = []

    def sweep(now: datetime) -> int:
        swept_at.append(now)
        return 3

    monkeypatch.setattr(work.session.store, "sweep", sweep)
    prune(work, KeepAll())
    assert swept_at == [NOW]
    assert work.counts["temporary_files"] == 3
