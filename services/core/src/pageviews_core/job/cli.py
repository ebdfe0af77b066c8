"""The verbs that both jobs have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import structlog
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from pageviews_core import keys
from pageviews_core.clock import SystemClock
from pageviews_core.errors import ConfigurationError, ExitCode, PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.job.program import Program
from pageviews_core.job.session import Session, open_session
from pageviews_core.job.stopping import Stopping
from pageviews_core.job.tick import guarded, run_tick
from pageviews_core.job.watch import watch
from pageviews_core.journal import Journal
from pageviews_core.lineage import opened_lineage
from pageviews_core.logging import configure_logging
from pageviews_core.object_store import open_object_store
from pageviews_core.object_store.counting import CountingObjectStore
from pageviews_core.records.control import Tick
from pageviews_core.records.run import Trigger
from pageviews_core.settings import Duration, JobSettings, read_settings
from pageviews_core.tracing import exported

log = structlog.get_logger()

BuildProgram = Callable[[JobSettings], Program]


def build_cli(settings_class: type[JobSettings], build: BuildProgram, *, name: str, about: str) -> typer.Typer:
    """The command line of a job whose program is built from its settings."""
    app = typer.Typer(
        name=name, help=about, add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False
    )
    stopping = Stopping()

    @contextmanager
    def opened(trigger: Trigger) -> Iterator[tuple[JobSettings, Program, Session]]:
        settings = read_settings(settings_class)
        configure_logging(settings.log_format, settings.log_level, service=name)
        stopping.listen()
        program, clock = build(settings), SystemClock()
        store = CountingObjectStore(open_object_store(settings, stopping.check))
        with (
            opened_lineage(settings) as lineage,
            open_session(store, clock, stopping, program.job, trigger, settings.run_budget, lineage) as session,
        ):
            yield settings, program, session

    @app.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            run()

    @app.command()
    def run() -> None:
        """One tick: do what is owed, and leave. The default."""
        with exiting(name), opened("schedule") as (settings, program, session), exported(settings, name):
            _exit(run_tick(program, session))

    @app.command("watch")
    def watch_() -> None:
        """Stay: tick on the schedule, and within seconds when asked for work."""
        with exiting(name), opened("schedule") as (settings, program, session):
            _exit(watch(program, settings.cron or program.cron, Journal(session.store), session.clock, stopping))

    @app.command()
    def plan() -> None:
        """Say what is owed, and why. Changes nothing."""
        with exiting(name), opened("manual") as (_, program, session):
            planned = program.plan(session)
            table = Table("hour (UTC)", "now", "why", title=f"{len(planned)} hours owed", title_justify="left")
            for item in planned:
                table.add_row(str(item.hour), "yes" if item.due else "later", item.reason)
            Console().print(table if planned else "Nothing is owed.")

    @app.command()
    def hour(
        hours: Annotated[list[str], typer.Argument(help="Hours by their start in UTC, such as 2026-11-20T09")],
        force: Annotated[bool, typer.Option("--force", help="Do them again even where they are complete")] = False,
    ) -> None:
        """Just these hours, now. Exits with the code of the first failure among them."""
        with exiting(name), opened("manual") as (settings, program, session), exported(settings, name):
            try:
                chosen = sorted({Hour.parse(text) for text in hours})
            except ValueError as exc:
                raise ConfigurationError(str(exc)) from exc
            code, _ = guarded(session, lambda: program.work_on(session, chosen, force=force))
            _exit(code)

    @app.command()
    def check(
        create: Annotated[bool, typer.Option("--create", help="First make what the warehouse lacks")] = False,
    ) -> None:
        """Try the settings and everything the job depends on."""
        with exiting(name), opened("manual") as (_, program, session):
            console, failed = Console(), False
            for item in program.check(session, create=create):
                failed |= not item.passed
                console.print(f"[{'green]ok' if item.passed else 'red]FAILED'}[/] {item.name}: ", end="")
                console.print(item.detail, markup=False, highlight=False)
            _exit(ExitCode.CONFIGURATION if failed else ExitCode.DONE)

    @app.command()
    def health(
        within: Annotated[str, typer.Option(help="The longest that a tick may lie back, as 1h")] = "1h",
    ) -> None:
        """Whether the job has ticked lately: for a container's health check. Exits with 75 where it has not."""
        with exiting(name), opened("manual") as (_, program, session):
            _exit(_ticked_within(program, session, within))

    return app


def _ticked_within(program: Program, session: Session, within: str) -> ExitCode:
    try:
        longest = TypeAdapter(Duration).validate_python(within)
    except ValidationError as exc:
        raise ConfigurationError(f"--within={within!r}: {exc.errors()[0]['msg']}") from exc
    found = session.journal.read(keys.tick(program.job), Tick)
    if found is None:
        typer.echo("never ticked")
        return ExitCode.TEMPORARY
    age = session.clock.now() - found[0].at
    typer.echo(f"ticked {int(age.total_seconds())} s ago: {found[0].outcome}")
    return ExitCode.DONE if age <= longest else ExitCode.TEMPORARY


@contextmanager
def exiting(service: str) -> Iterator[None]:
    """Errors before there is a session still end in one clear line and their exit code."""
    try:
        yield
    except PageviewsError as exc:
        if not structlog.is_configured():
            configure_logging("auto", "info", service=service)
        log.error("failed", error_type=type(exc).__name__, error=str(exc), exc_info=exc.exit_code is ExitCode.BUG)
        _exit(exc.exit_code)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as exc:
        log.exception("failed", error_type=type(exc).__name__, error=str(exc))
        _exit(ExitCode.BUG)


def _exit(code: ExitCode) -> NoReturn:
    raise typer.Exit(int(code))
