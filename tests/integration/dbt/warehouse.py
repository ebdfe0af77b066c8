"""A small embedded warehouse as the loader leaves it, and dbt run over it in child processes."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from tests.integration.dbt.dbt_child import run as dbt_child

PROJECT = Path(__file__).parents[3] / "services" / "transformer" / "dbt"
_FORKED = multiprocessing.get_context("forkserver")

Line = tuple[str, str, int]
"""domain code, page title, views"""


@dataclass
class DbtResult:
    success: bool
    error: str | None
    nodes: dict[str, dict[str, str]]

    def messages(self) -> str:
        return "\n".join([self.error or "", *(node["message"] for node in self.nodes.values())])


def run_dbt(
    manifest: Path, folder: Path, arguments: Sequence[str], environment: Mapping[str, str], project: Path = PROJECT
) -> DbtResult:
    """dbt with `arguments` in a child process; its target and logs are kept in `folder`."""
    options = [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
    ]
    environment = {**os.environ, "DO_NOT_TRACK": "1", **environment}
    output = folder / "output.txt"
    answer, theirs = _FORKED.Pipe(duplex=False)
    _FORKED.set_forkserver_preload(["tests.integration.dbt.dbt_child"])
    child = _FORKED.Process(target=dbt_child, args=(theirs, manifest, [*arguments, *options], environment, output))
    child.start()
    theirs.close()
    try:
        return DbtResult(*answer.recv())
    except EOFError:
        raise RuntimeError(f"dbt ended without a word:\n{output.read_text()}") from None
    finally:
        answer.close()
        child.join()


@dataclass
class Warehouse:
    folder: Path
    manifest: Path
    generations: dict[str, int] = field(default_factory=dict)
    fence: int = 0
    project: Path = PROJECT

    @property
    def path(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(self.path) as connection:
            connection.execute("create schema if not exists wikipedia")
            connection.execute("use warehouse.wikipedia")
            yield connection

    def create(self) -> None:
        with self.connection() as connection:
            connection.execute("""
                create table raw_wikipedia_pageviews (hour_started_at timestamp not null, generation integer not null,
                    domain_code varchar not null, page_title varchar not null, count_views bigint not null);
                create table pageviews_ledger (hour_started_at timestamp, generation integer, sha256 varchar,
                    row_count bigint, view_count bigint, run_id varchar, fence bigint, loaded_at timestamp,
                    schema_version integer);
                create table pageviews_fence (stage varchar, hour_started_at timestamp, fence bigint);
            """)

    def load(self, hour: str, lines: Sequence[Line]) -> None:
        """What the loader does for one hour (`2026-11-20T09`): the next generation of it replaces the one before."""
        self.generations[hour] = generation = self.generations.get(hour, 0) + 1
        at = f"{hour.replace('T', ' ')}:00:00"
        with self.connection() as connection:
            connection.execute("delete from raw_wikipedia_pageviews where hour_started_at = $1", [at])
            if lines:
                connection.executemany(
                    "insert into raw_wikipedia_pageviews values (?, ?, ?, ?, ?)",
                    [(at, generation, *line) for line in lines],
                )
            connection.execute(
                "insert into pageviews_ledger values (?, ?, 'sha', ?, ?, 'run', 1, current_timestamp::timestamp, 1)",
                [at, generation, len(lines), sum(views for _, _, views in lines)],
            )
            connection.execute(
                "insert into pageviews_fence select 'transformed', $1, 0 where not exists "
                "(select 1 from pageviews_fence where hour_started_at = $1)",
                [at],
            )

    def given(self, *hours: str) -> list[dict[str, Any]]:
        self.fence += 1
        return [{"hour": hour, "generation": self.generations[hour], "fence": self.fence} for hour in hours]

    def dbt(self, *arguments: str, variables: Mapping[str, Any] | None = None, **environment: str) -> DbtResult:
        options = ["--vars", json.dumps(variables)] if variables else []
        environment = {
            "PAGEVIEWS_DUCKDB_PATH": str(self.path),
            "PAGEVIEWS_DUCKDB_TEMP_DIRECTORY": str(self.folder / "temp"),
            **environment,
        }
        return run_dbt(self.manifest, self.folder, [*arguments, *options], environment, self.project)

    def build(self, *hours: str, variables: Mapping[str, Any] | None = None, **environment: str) -> DbtResult:
        """The batch of `hours`, in their newest generations, as production runs it."""
        return self.build_given(self.given(*hours), variables, **environment)

    def build_given(
        self, given: list[dict[str, Any]], variables: Mapping[str, Any] | None = None, **environment: str
    ) -> DbtResult:
        variables = {"hours": given, **(variables or {})}
        return self.dbt("build", "--exclude-resource-type", "unit_test", variables=variables, **environment)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return connection.execute(sql).fetchall()

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table that dbt makes, as sorted rows."""
        with self.connection() as connection:
            names = connection.execute(
                "select table_name from information_schema.tables where table_schema = 'wikipedia' "
                "and table_name not in ('raw_wikipedia_pageviews', 'pageviews_ledger', 'pageviews_fence') order by all"
            ).fetchall()
            return {name: connection.execute(f"select * from {name} order by all").fetchall() for (name,) in names}
