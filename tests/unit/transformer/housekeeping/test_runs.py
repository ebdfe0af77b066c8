from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.unit.transformer.housekeeping.house import DAY, NEWEST, NOW, House, KeepAll, ulid_at

from pageviews_core import keys
from pageviews_core.records.control import Change
from pageviews_core.records.request import ClosedRequest, Progress, Request
from transformer.housekeeping.runs import PROGRESS, RUNS, retire_runs
from transformer.housekeeping.work import Work

SETTINGS = KeepAll(retain_runs=30 * DAY)


def _request(at: datetime) -> Request:
    return Request(id=ulid_at(at), kind="backfill", hours=(NEWEST,), force=True, who="me", why="tried", created_at=at)


def _progress(house: House, request: Request) -> None:
    key = keys.progress(request.id, "ingestor", NEWEST, "done")
    house.write(key, Progress(request=request.id, job="ingestor", hour=NEWEST, outcome="done", run_id="r", at=NOW))


def _closed(house: House, request: Request) -> None:
    closed = ClosedRequest(request=request, outcome="done", failed_hours=(), closed_at=NOW)
    house.write(keys.closed_request(request.id), closed)


def test_prefixes_are_those_of_the_keys() -> None:
    assert keys.run(ulid_at(NOW)).startswith(RUNS)
    assert keys.progress("r", "ingestor", NEWEST, "done").startswith(PROGRESS)


def test_runs_go_by_whole_days_with_log_and_artifacts_and_the_record_last(house: House, work: Work) -> None:
    midnight = datetime(2026, 10, 21, tzinfo=UTC)
    old = house.run(midnight - timedelta(seconds=1))
    kept = house.run(midnight)
    deleted: list[str] = []
    house.memory.after = lambda verb, key: deleted.append(key) if verb == "delete" else None
    retire_runs(work, SETTINGS)
    assert deleted == sorted(deleted)
    assert deleted[-1] == keys.run_record(old)
    assert len(deleted) == 3
    assert len(house.keys(keys.run(kept))) == 3
    assert work.counts == {"run_objects": 3}


def test_only_the_record_of_a_run_is_announced(house: House, work: Work) -> None:
    old = house.run(NOW - 100 * DAY)
    retire_runs(work, SETTINGS)
    changes = [Change.decode(house.memory.get(key)[0], key).key for key in house.keys(keys.CHANGES)]
    assert changes == [keys.run_record(old)]


def test_compacted_days_of_runs_go_with_their_runs_and_the_index_stays(house: House, work: Work) -> None:
    for name in ("2026/10/20", "2026/10/21", "index"):
        house.memory.put(f"runs-by-day/{name}.json", b"{}")
    retire_runs(work, SETTINGS)
    assert house.keys("runs-by-day/") == ["runs-by-day/2026/10/21.json", "runs-by-day/index.json"]


def test_closed_requests_and_their_progress_go_by_the_requests_age(house: House, work: Work) -> None:
    old, young = _request(NOW - 31 * DAY), _request(NOW - 29 * DAY)
    for request in (old, young):
        _progress(house, request)
        _closed(house, request)
    retire_runs(work, SETTINGS)
    assert house.keys(keys.CLOSED_REQUESTS) == [keys.closed_request(young.id)]
    assert len(house.keys(PROGRESS)) == len(house.keys(f"{PROGRESS}{young.id}/")) == 1


def test_progress_of_an_open_request_stays_however_old(house: House, work: Work) -> None:
    request = _request(NOW - 300 * DAY)
    house.write(keys.open_request(request.id), request)
    _progress(house, request)
    retire_runs(work, SETTINGS)
    assert len(house.keys(PROGRESS)) == 1
    assert len(house.keys(keys.OPEN_REQUESTS)) == 1


def test_what_has_no_age_is_left_alone(house: House, work: Work) -> None:
    foreign = ["progress/mine/x", "requests/closed/0-mine.json", "runs/0-mine/x", "runs/2026/99/99/x"]
    for key in foreign:
        house.memory.put(key, b"")
    old = house.run(NOW - 100 * DAY)
    retire_runs(work, SETTINGS)
    assert set(foreign) <= set(house.keys(""))
    assert house.keys(keys.run(old)) == []
