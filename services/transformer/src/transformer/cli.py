"""The `pageviews-transformer` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pageviews_core.clock import SystemClock
from pageviews_core.job.cli import build_cli, exiting
from pageviews_core.job.program import Program
from pageviews_core.settings import JobSettings, read_settings
from transformer.program import TransformerProgram
from transformer.query import OutputFormat, query_warehouse
from transformer.settings import TransformerSettings


def build(settings: JobSettings) -> Program:
    assert isinstance(settings, TransformerSettings)
    return TransformerProgram(settings, SystemClock())


def app() -> typer.Typer:
    """The command line."""
    cli = build_cli(
        TransformerSettings,
        build,
        name="pageviews-transformer",
        about="Runs dbt for exactly the hours that are owed, and reconciles what it built.",
    )

    @cli.command()
    def query(
        sql: Annotated[str, typer.Argument(help="One statement; it cannot change anything")],
        output: Annotated[OutputFormat, typer.Option("--format", help="How to print the rows")] = OutputFormat.TABLE,
    ) -> None:
        """Ask the embedded warehouse: read-only, and in the queue with the jobs."""
        with exiting("pageviews-transformer"):
            query_warehouse(sql, output)

    @cli.command()
    def prepare(
        folder: Annotated[Path, typer.Argument(help="Where the manifest goes; set PAGEVIEWS_DBT_MANIFEST to the file")],
    ) -> None:
        """Parse the dbt project once, as an image does when it is built, so that no tick has to."""
        with exiting("pageviews-transformer"):
            from transformer.dbt_manifest import prepare_manifest  # dbt takes a second to import

            typer.echo(prepare_manifest(read_settings(TransformerSettings), folder))

    return cli


def main() -> None:
    app()()
