"""Structured logs: JSON lines on stdout (console style on a terminal), and the same lines to the run's log."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Sink = Callable[[bytes], None]
"""Takes one JSON line, with its line feed."""

_sinks: list[Sink] = []


def add_sink(sink: Sink) -> None:
    """From now on every event also goes to `sink`, until `remove_sink`."""
    _sinks.append(sink)


def remove_sink(sink: Sink) -> None:
    _sinks.remove(sink)


def _to_sinks(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _sinks:
        line = _as_json(logger, method, structlog.processors.format_exc_info(logger, method, dict(event)))
        data = (line if isinstance(line, bytes) else str(line).encode(errors="backslashreplace")) + b"\n"
        for sink in _sinks:
            sink(data)
    return event


_as_json = structlog.processors.JSONRenderer(sort_keys=False, default=str)


def configure_logging(log_format: str, level: str, *, service: str) -> None:
    """Once at start. `log_format`: auto, json or console."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name of undecodable bytes must not end the program
        sys.stdout.reconfigure(errors="backslashreplace")
    console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    renderer: Processor = structlog.dev.ConsoleRenderer() if console else _as_json
    exceptions: list[Processor] = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            *exceptions,
            _to_sinks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def emit(event: dict[str, Any]) -> None:
    """Passes on an event that another process already made (dbt's child), with this process's context."""
    log = structlog.get_logger()
    fields = {name: value for name, value in event.items() if name not in ("event", "level", "time", "service")}
    getattr(log, str(event.get("level", "info")), log.info)(str(event.get("event", "")), **fields)
