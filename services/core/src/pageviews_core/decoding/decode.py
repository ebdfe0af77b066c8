"""From unpacked lines to the hour's rows as Parquet: every line is loaded, or quarantined with the reason."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from pageviews_core.decoding.dialect import Reject, Row, decode_line
from pageviews_core.decoding.dialect_sql import decoded_hexadecimal, decoded_lines, file_literal, target_literal
from pageviews_core.decoding.quarantine import encode_reject
from pageviews_core.decoding.rejects import rejected_lines
from pageviews_core.decoding.scratch import no_room, writing
from pageviews_core.decoding.unpack import Unpacked, odd_lines
from pageviews_core.errors import ConfigurationError, CountsDiffer, PageviewsError, StoreUnavailable

# Level 1: a fifth faster than the default 3, for a file a tenth larger. Titles hardly repeat: a small limit spares the
# attempt at a dictionary of them, and domains fit into it.
_PARQUET = "format parquet, compression zstd, compression_level 1, string_dictionary_page_size_limit 65536"


@dataclass(frozen=True, slots=True)
class Decoded:
    """lines = rows + rejected."""

    parquet: Path
    """domain_code VARCHAR, page_title VARCHAR, count_views BIGINT, in the file's order; rows set apart come last."""
    quarantine: Path | None
    """The rejected lines, by offset; None where there are none."""
    lines: int
    rows: int
    rejected: int
    views: int
    views_by_domain: dict[str, int]
    rejects_by_reason: dict[str, int]
    """Of the lines in quarantine."""


def decode(
    unpacked: Unpacked,
    parquet: Path,
    quarantine: Path,
    *,
    memory_limit: int,
    threads: int,
    temp_folder: Path,
    rejects_kept: int,
) -> Decoded:
    """`memory_limit` is the engine's, in bytes. Of more than `rejects_kept` rejects only the first ones are written.

    Raises CountsDiffer unless every line is accounted for, ConfigurationError where the memory does not do, and
    StoreUnavailable where the disk is full.
    """
    loadable, odd_rejected = _write_odd_rows(unpacked, temp_folder / "odd-rows.txt")
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit}B",
        "threads": threads,
        "temp_directory": str(temp_folder),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with _engine_errors(parquet), duckdb.connect(config=config) as connection:
        lines, rows = _write_parquet(connection, unpacked, loadable, parquet)
        if lines != unpacked.lines - odd_rejected:
            raise CountsDiffer(
                f"{unpacked.lines - odd_rejected} lines went into the engine, and {lines} came out of it"
            )
        views_by_domain = dict(
            connection.execute(
                f"select domain_code, sum(count_views) from read_parquet({file_literal(parquet)}) group by 1"
            ).fetchall()
        )
    rejected = unpacked.lines - rows
    reasons = _write_quarantine(
        unpacked, quarantine, rejected=rejected, odd_rejected=odd_rejected, rejects_kept=rejects_kept
    )
    return Decoded(
        parquet=parquet,
        quarantine=quarantine if rejected else None,
        lines=unpacked.lines,
        rows=rows,
        rejected=rejected,
        views=sum(views_by_domain.values()),
        views_by_domain=views_by_domain,
        rejects_by_reason=reasons,
    )


def _write_odd_rows(unpacked: Unpacked, path: Path) -> tuple[Path | None, int]:
    """The file of those odd lines that can be loaded (None: none of them), and the number of those that cannot."""
    rejected = 0
    with writing(path), path.open("wb") as file:
        for line in odd_lines(unpacked):
            row = decode_line(line.content)
            if isinstance(row, Reject):
                rejected += 1
            else:
                file.write(_hexadecimal(row))
    return path if unpacked.odd_lines > rejected else None, rejected


def _hexadecimal(row: Row) -> bytes:
    return f"{row.domain_code.encode().hex()} {row.page_title.encode().hex()} {row.count_views}\n".encode()


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, unpacked: Unpacked, loadable: Path | None, parquet: Path
) -> tuple[int, int]:
    """The number of lines that went through the engine, and of rows in the finished file."""
    query = decoded_lines(unpacked.text)
    if loadable:
        query = f"{query} union all {decoded_hexadecimal(loadable)}"
    lines = _copy(connection, query, parquet)
    found = connection.execute(f"select count(count_views) from read_parquet({file_literal(parquet)})").fetchone()
    assert found is not None
    rows = int(found[0])
    if rows < lines:  # rare, so the usual hour is not made to pay for a filter
        whole = parquet.with_name(f"{parquet.name}.whole")
        parquet.rename(whole)
        kept = f"select * from read_parquet({file_literal(whole)}) where count_views is not null"
        if _copy(connection, kept, parquet) != rows:
            raise CountsDiffer(f"{rows} rows were decoded, and not as many were written to {parquet.name}")
        whole.unlink()
    return lines, rows


def _copy(connection: duckdb.DuckDBPyConnection, query: str, parquet: Path) -> int:
    written = connection.execute(f"copy ({query}) to {target_literal(parquet)} ({_PARQUET})").fetchone()
    assert written is not None
    return int(written[0])


def _write_quarantine(
    unpacked: Unpacked, path: Path, *, rejected: int, odd_rejected: int, rejects_kept: int
) -> dict[str, int]:
    """Lines by reason. Raises CountsDiffer where the reference rejects another number of lines than the engine did."""
    reasons: Counter[str] = Counter()
    if not rejected:
        return {}
    with writing(path), path.open("wb") as file:
        found = rejected_lines(unpacked, clean=rejected > odd_rejected)
        for reject in islice(found, rejects_kept):
            file.write(encode_reject(reject))
            reasons[reject.reason.value] += 1
        told = reasons.total() + sum(1 for _ in islice(found, 1))
    if told != rejected and (told <= rejects_kept or rejected <= rejects_kept):
        raise CountsDiffer(f"the engine rejected {rejected} lines, the reference {told} of the same")
    return dict(reasons)


@contextmanager
def _engine_errors(parquet: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as exc:
        raise ConfigurationError(f"decoding an hour ran out of memory; raise PAGEVIEWS_MEMORY_LIMIT: {exc}") from exc
    except duckdb.IOException as exc:
        if os.strerror(errno.ENOSPC) in str(exc):
            raise no_room(parquet.parent) from exc
        raise StoreUnavailable(f"cannot write {parquet}: {exc}") from exc
    except duckdb.Error as exc:
        raise PageviewsError(f"DuckDB could not decode the lines: {exc}") from exc
