"""An index with something of everything, as it may be at 10:15 UTC on 20 November 2026."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.unit.status_api.memory_index import MemoryIndex

_STEPS = {"dbt": 30, "mark": 1}


def fill(index: MemoryIndex, *, steps: Mapping[str, float] = _STEPS) -> None:
    """`steps`: those of the newest run of the transformer that succeeded."""
    index.add("meta", name="newest_complete_hour", value="2026-11-20T08")
    for state, count in {"complete": 670, "failed": 1, "waiting": 1}.items():
        index.add("hour_states", state=state, count=count)
    index.add("hour_warnings", warning="control_differs", count=3)
    index.add(
        "hours", hour="2026-11-20T08", state="complete", warnings="control_differs", rows=5_000_000, rejected=2,
        views=20_000_000, bytes=45_000_000, control_state="differs", differing_domains=4,
        ingested_at="2026-11-20T09:22:00Z", ingest_seconds=21.5, ingest_credits=0.0125,
        transformed_at="2026-11-20T09:25:40Z", transform_seconds=33.0,
    )  # fmt: skip
    index.add(
        "hours", hour="2026-11-20T05", state="failed", failed_stage="transformed", failure_kind="failed",
        failing_since="2026-11-20T06:20:00Z", attempt=3, next_try_at="2026-11-20T10:40:00Z",
    )  # fmt: skip
    _run(index, "01JD4Q2Z5V0000000000000001", "ingestor", "succeeded", "2026-11-20T08:21:00Z", 99)
    _run(
        index, "01JD4Q2Z5V0000000000000002", "ingestor", "succeeded", "2026-11-20T09:21:30Z", 30, hours=2,
        steps={"download": 9}, memory=170_000_000, size=90_000_000,
    )  # fmt: skip
    _run(
        index, "01JD4Q2Z5V0000000000000003", "ingestor", "failed", "2026-11-20T09:50:04Z", 4,
        steps={"download": 3.5}, memory=150_000_000,
    )  # fmt: skip
    _run(
        index, "01JD4Q2Z5V0000000000000004", "transformer", "succeeded", "2026-11-20T09:25:40Z", 40, hours=4,
        steps=steps, memory=400_000_000,
    )  # fmt: skip
    _run(index, "01JD4Q2Z5V0000000000000005", "transformer", "running", None, None)
    for job, state, trigger, count in (
        ("ingestor", "succeeded", "schedule", 600),
        ("ingestor", "failed", "schedule", 2),
        ("transformer", "succeeded", "backfill", 5),
        ("transformer", "running", "schedule", 1),
    ):
        index.add("run_counts", job=job, state=state, trigger=trigger, count=count)
    for job, at, owed in (("ingestor", "2026-11-20T10:15:00Z", 1), ("transformer", "2026-11-20T10:10:00Z", 0)):
        index.add("ticks", job=job, at=at, outcome="idle", owed=owed, seconds=0.1, version="0.1.0")
    index.add("suspended", job="transformer")
    for number, (created_at, outcome) in enumerate(
        [("2026-11-20T08:30:00Z", "done"), ("2026-11-20T09:30:00Z", None), ("2026-11-20T10:00:00Z", None)]
    ):
        index.add(
            "requests", id=f"request-{number}", kind="backfill", hour_count=1, force=0, models="[]", who="ann",
            why="gap", created_at=created_at, outcome=outcome,
        )  # fmt: skip
    index.add("unreadable", key="runs/2026/11/20/x/run.json", reason="foreign", seen_at="2026-11-20T10:00:00Z")


def _run(
    index: MemoryIndex,
    run: str,
    job: str,
    state: str,
    finished_at: str | None,
    seconds: float | None,
    *,
    hours: int = 1,
    steps: Mapping[str, float] | None = None,
    memory: int = 0,
    size: int = 0,
) -> None:
    index.add(
        "runs", id=run, job=job, trigger="schedule", state=state, started_at="2026-11-20T08:00:00Z",
        finished_at=finished_at, seconds=seconds, hour_count=hours, failed_hours=0, rows=0, bytes=size,
        peak_memory=memory, steps=json.dumps(steps or {}), host="here", version="0.1.0",
    )  # fmt: skip
