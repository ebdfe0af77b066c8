"""The engine floor: an hour's work as a bare script in one process, with nothing of the product in it.

    python tests/bench/floor.py FILE.gz FOLDER --threads 2 --ingest-memory BYTES --transform-memory BYTES

Gunzip with its checksum, split, Parquet, the raw table, staging with the page key, the dimension, the fact table.
No fences, counts, markers, tests, marts or logs, no collision check, no sorting, and a simpler rule for domains: what
is left is what the engine itself must take. Prints one JSON object: rows, views, and the seconds of each part.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from isal import igzip

_BLOCK = 1 << 20

_PARQUET = """
copy (
    select parts[1] as domain_code, array_to_string(parts[2:-3], ' ') as page_title, parts[-2]::bigint as count_views
    from (select string_split(line, ' ') as parts from read_csv($text, columns = {'line': 'varchar'}, delim = chr(31),
        quote = '', escape = '', comment = '', nullstr = '', header = false, auto_detect = false, new_line = '\\n'))
) to '$parquet' (format parquet, compression zstd, compression_level 1, string_dictionary_page_size_limit 65536)
"""
_RAW = """
create table raw as
select timestamp '2026-01-01' as hour_started_at, 1 as generation, * from read_parquet('$parquet')
"""
# Access and site collapse into a project: enough to give the pages of one project one key.
_DOMAINS = """
create table domains as
select domain_code, split_part(domain_code, '.', 1) || '.'
    || coalesce(nullif(regexp_replace(regexp_extract(domain_code, '^[^.]*(.*)$', 1), '^\\.(m|zero)\\b', ''), ''), '.p')
    as project
from (select distinct domain_code from raw)
"""
_STAGING = """
create table staging as
select hour_started_at, generation, domain_code, project, page_title,
    ('0x' || right(md5(project || ' ' || page_title), 16))::ubigint as page_key, count_views as view_count
from raw join domains using (domain_code)
"""
# One row of each page, chosen by its number: a group by with the titles in it takes half as long again.
_DIMENSION = """
create table dimension as
select page_key, project, page_title from staging
where rowid in (select min(rowid) from staging group by page_key)
"""
_FACT = "create table fact as select hour_started_at, generation, domain_code, page_key, view_count from staging"


@contextmanager
def _timed(parts: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    parts[name] = round(time.perf_counter() - began, 3)


def run(gz: Path, folder: Path, *, threads: int, ingest_memory: int, transform_memory: int) -> dict[str, object]:
    """Memory limits in bytes, of the engine. Raises what isal and DuckDB raise for a damaged file."""
    text, parquet, parts = folder / "floor.txt", folder / "floor.parquet", dict[str, float]()

    def statement(sql: str) -> str:
        return sql.replace("$text", f"'{text}'").replace("$parquet", str(parquet))

    source = igzip.IGzipFile(gz, "rb")  # type: ignore[no-untyped-call]
    with _timed(parts, "gunzip"), source, text.open("wb") as target:
        while block := source.read(_BLOCK):
            target.write(block)
    with duckdb.connect(folder / "floor.duckdb", config={"threads": threads}) as db:
        db.execute(f"set preserve_insertion_order = false; set temp_directory = '{folder / 'floor.tmp'}'")
        db.execute(f"set memory_limit = '{ingest_memory}B'")
        for name, sql in (("parquet", _PARQUET), ("raw", _RAW)):
            with _timed(parts, name):
                db.execute(statement(sql))
        db.execute(f"set memory_limit = '{transform_memory}B'")
        for name, sql in (("staging", _DOMAINS + ";" + _STAGING), ("dimension", _DIMENSION), ("fact", _FACT)):
            with _timed(parts, name):
                db.execute(sql)
        found = db.execute("select count(*), sum(view_count)::bigint from fact").fetchone()
        pages = db.execute("select count(*) from dimension").fetchone()
        with _timed(parts, "checkpoint"):
            db.execute("checkpoint")
    assert found
    assert pages
    return {"rows": found[0], "views": found[1], "pages": pages[0], "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gz", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--ingest-memory", type=int, required=True)
    parser.add_argument("--transform-memory", type=int, required=True)
    given = parser.parse_args()
    print(
        json.dumps(
            run(
                given.gz,
                given.folder,
                threads=given.threads,
                ingest_memory=given.ingest_memory,
                transform_memory=given.transform_memory,
            )
        )
    )


if __name__ == "__main__":
    main()
