"""dbt's artifacts, kept with the run: what was built, how long it took, and the project it came from."""

from __future__ import annotations

import gzip
from pathlib import Path

from pageviews_core import keys
from pageviews_core.job.session import Session

_KEPT = ("run_results.json", "manifest.json")


def keep_artifacts(session: Session, target: Path, number: int) -> None:
    """Stores what the `number`th child of the run left in dbt's target folder, compressed."""
    for name in _KEPT:
        file = target / name
        if file.exists():
            key = f"{keys.run(session.run.id)}/artifacts/{number:03d}/{name}.gz"
            session.store.put(key, gzip.compress(file.read_bytes(), compresslevel=3, mtime=0))
