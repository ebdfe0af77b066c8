"""The `pageviews-ingestor` command."""

from __future__ import annotations

import typer

from ingestor.program import IngestorProgram
from ingestor.settings import IngestorSettings
from pageviews_core.clock import SystemClock
from pageviews_core.job.cli import build_cli
from pageviews_core.job.program import Program
from pageviews_core.settings import JobSettings


def build(settings: JobSettings) -> Program:
    assert isinstance(settings, IngestorSettings)
    return IngestorProgram(settings, SystemClock())


def app() -> typer.Typer:
    """The command line."""
    return build_cli(
        IngestorSettings,
        build,
        name="pageviews-ingestor",
        about="Loads the hourly Wikipedia pageview dumps into the warehouse, each hour exactly once.",
    )


def main() -> None:
    app()()
