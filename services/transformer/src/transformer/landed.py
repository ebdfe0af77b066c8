"""An hour's rows as Parquet once more: what was landed, or the file as served, decoded again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import structlog

from pageviews_core.decoding.decode import decode
from pageviews_core.decoding.unpack import unpack
from pageviews_core.errors import InputGone
from pageviews_core.object_store.base import ObjectNotFound, ObjectStore
from transformer.protocol import BatchHour

log = structlog.get_logger()


@dataclass(frozen=True)
class Landed:
    """`engine_memory` in bytes; files go to `folder`."""

    store: ObjectStore
    folder: Path
    engine_memory: int
    threads: int

    def parquet(self, item: BatchHour) -> Path:
        """The caller removes the file. Raises InputGone where neither object is left."""
        path = self.folder / f"{item.hour}.parquet"
        if self._fetch(item.landing, path):
            return path
        served = self.folder / f"{item.hour}.gz"
        if not self._fetch(item.raw, served):
            raise InputGone(
                f"{item.hour}: its raw rows, its landing object {item.landing} and its raw object {item.raw} were all "
                "retired, so it cannot be built; the facts were left as they are. Load it again: "
                f"`pageviews-ingestor hour {item.hour} --force`."
            )
        log.info("hour_decoded_again", hour=str(item.hour))
        lines = unpack(served, self.folder / f"{item.hour}.lines")
        decode(
            lines,
            path,
            self.folder / f"{item.hour}.quarantine",
            memory_limit=self.engine_memory,
            threads=self.threads,
            temp_folder=self.folder,
            rejects_kept=0,
        )
        for left in (served, lines.text):
            left.unlink()
        return path

    def _fetch(self, key: str, path: Path) -> bool:
        try:
            with self.store.open(key) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except ObjectNotFound:
            return False
        return True
