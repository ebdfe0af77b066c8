"""dlt's part: the hour into DuckDB's raw table.

    .venv-bench/bin/python tests/bench/dlt_dbt/load.py FILE.gz WAREHOUSE --hour 2018-02-19T09 --threads 2 --memory BYTES

A resource that yields Arrow data, dlt's documented way for large inputs, loaded as Parquet. The lines are split by
DuckDB, since dlt has no reader for them. (Importing a Parquet file of DuckDB's takes half the memory, and longer.)
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # type: ignore[import-not-found]  # it is in .venv-bench alone
import duckdb

_BATCH_ROWS = 500_000
_SPLIT = """
select $hour::timestamp as hour_started_at, parts[1] as domain_code,
    array_to_string(parts[2:-3], ' ') as page_title, parts[-2]::bigint as count_views
from (select string_split(line, ' ') as parts from read_csv($gz, columns = {'line': 'varchar'}, delim = chr(31),
    quote = '', escape = '', comment = '', nullstr = '', header = false, auto_detect = false, new_line = '\\n'))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gz", type=Path)
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("--hour", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", required=True)
    given = parser.parse_args()
    config: dict[str, Any] = {
        "threads": given.threads,
        "memory_limit": f"{given.memory}B",
        "preserve_insertion_order": False,
    }

    def pageviews() -> Iterator[object]:
        with duckdb.connect(config=config) as engine:
            hour = f"{given.hour.replace('T', ' ')}:00:00"
            found: Any = engine.execute(_SPLIT, {"hour": hour, "gz": str(given.gz)})
            yield from found.to_arrow_reader(_BATCH_ROWS)

    with duckdb.connect(given.warehouse, config=config) as warehouse:
        pipeline = dlt.pipeline(
            "pageviews",
            pipelines_dir=str(given.warehouse.parent / "dlt"),
            destination=dlt.destinations.duckdb(warehouse),
            dataset_name="wikipedia",
        )
        resource = dlt.resource(pageviews, name="raw_pageviews", write_disposition="append")
        pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
