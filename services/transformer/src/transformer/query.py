"""`query`: a person's question to the embedded warehouse."""

from __future__ import annotations

import csv
import sys
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from pageviews_core.clock import SystemClock
from pageviews_core.errors import ExitCode, PageviewsError
from pageviews_core.job.memory import engine_memory
from pageviews_core.settings import read_settings
from pageviews_core.warehouse import open_warehouse
from transformer.settings import TransformerSettings


class QueryRefused(PageviewsError):
    exit_code = ExitCode.USAGE


class OutputFormat(StrEnum):
    TABLE = "table"
    CSV = "csv"


def query_warehouse(sql: str, output: OutputFormat) -> None:
    """Prints the rows. Waits its turn while a job has the file; raises what the warehouse raises."""
    settings = read_settings(TransformerSettings)
    memory = engine_memory(settings.memory_limit, taken=128 * 1024**2)
    warehouse = open_warehouse(settings, SystemClock(), engine_memory=memory)
    try:
        columns, rows = warehouse.fetch(sql)
    except PageviewsError as exc:
        if type(exc) is PageviewsError:  # neither busy nor badly set up: it is the statement
            raise QueryRefused(f"the query was refused: {exc}") from exc
        raise
    if output is OutputFormat.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
