"""The `pageviews-status-api` command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn, cast, get_args

import structlog
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from pageviews_core.errors import ConfigurationError, ExitCode, PageviewsError
from pageviews_core.logging import configure_logging
from pageviews_core.object_store import open_object_store
from pageviews_core.settings import Duration, read_settings
from status_api import serving
from status_api.access.actor import Role
from status_api.access.tokens import add_entry, new_token
from status_api.readiness import ask
from status_api.settings import StatusSettings

NAME = "pageviews-status-api"

log = structlog.get_logger()


def build_cli() -> typer.Typer:
    app = typer.Typer(
        name=NAME,
        help="Shows the state of every hour of the pipeline.",
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            serve()

    @app.command()
    def serve() -> None:
        """Serve until told to stop. The default."""
        with _exiting():
            serving.serve(_start())

    @app.command()
    def check() -> None:
        """Try the settings, and whether the object store can be read."""
        with _exiting():
            settings = _start()
            _say("settings", f"to serve on {settings.host}, port {settings.port}")
            store = open_object_store(settings)
            error = ask(store)
            _say("object store", str(error or store.url), passed=error is None)
            _exit(error.exit_code if error else ExitCode.DONE)

    @app.command()
    def token(
        name: Annotated[str, typer.Argument(help="Whose it is; it stands in the audit trail")],
        role: Annotated[str, typer.Option(help="viewer or operator")] = "viewer",
        expires: Annotated[str, typer.Option(help="As 90d or 12h; never without it")] = "",
        file: Annotated[Path | None, typer.Option(help="Add it to this file; else the entry is printed")] = None,
    ) -> None:
        """Make a token: it is shown once, and only its hash is kept."""
        with _exiting():
            _make_token(name, role, expires, file)

    return app


def _make_token(name: str, role: str, expires: str, file: Path | None) -> None:
    if role not in get_args(Role):
        raise ConfigurationError(f"--role={role!r}: one of {', '.join(get_args(Role))}")
    try:
        lasts = TypeAdapter(Duration).validate_python(expires) if expires else None
    except ValidationError as exc:
        raise ConfigurationError(f"--expires={expires!r}: {exc.errors()[0]['msg']}") from exc
    expires_at = datetime.now(UTC).replace(microsecond=0) + lasts if lasts else None
    made, entry = new_token(name, cast(Role, role), expires_at)
    if file is not None:
        try:
            add_entry(file, entry)
        except OSError as exc:
            raise ConfigurationError(f"--file={file}: {exc.strerror}") from exc
    typer.echo(made)
    kept = f"its hash is in {file}" if file else f"the entry for PAGEVIEWS_TOKENS_FILE: {entry.model_dump_json()}"
    typer.echo(f"It is shown once; {kept}", err=True)


def _start() -> StatusSettings:
    settings = read_settings(StatusSettings)
    configure_logging(settings.log_format, settings.log_level, service=NAME)
    return settings


def _say(name: str, detail: str, *, passed: bool = True) -> None:
    console = Console()
    console.print(f"[{'green]ok' if passed else 'red]FAILED'}[/] {name}: ", end="")
    console.print(detail, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _exiting() -> Iterator[None]:
    """Errors end in one clear line and their exit code."""
    try:
        yield
    except PageviewsError as exc:
        if not structlog.is_configured():
            configure_logging("auto", "info", service=NAME)
        log.error("failed", error_type=type(exc).__name__, error=str(exc), exc_info=exc.exit_code is ExitCode.BUG)
        _exit(exc.exit_code)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as exc:
        log.exception("failed", error_type=type(exc).__name__, error=str(exc))
        _exit(ExitCode.BUG)


def _exit(code: ExitCode) -> NoReturn:
    raise typer.Exit(int(code))


def main() -> None:
    build_cli()()
