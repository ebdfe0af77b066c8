from __future__ import annotations

import logging
import sys

import pytest
from structlog.testing import capture_logs

from status_api.server_log import StructlogHandler


def _record(
    name: str, message: str, *args: object, level: int = logging.INFO, error: bool = False
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, message, args, sys.exc_info() if error else None)


def _access(path: str, status: int) -> logging.LogRecord:
    return _record("uvicorn.access", '%s - "%s %s HTTP/%s" %d', "10.0.0.1:5", "GET", path, "1.1", status)


def test_a_request_is_an_event_with_its_parts_but_for_what_it_asks_for() -> None:
    with capture_logs() as logs:
        StructlogHandler().emit(_access("/version?x=1", 200))
    assert logs == [
        {
            "event": "request_served",
            "log_level": "info",
            "client": "10.0.0.1:5",
            "method": "GET",
            "path": "/version",
            "status": 200,
        }
    ]


@pytest.mark.parametrize(("path", "status", "level"), [("/livez", 200, "debug"), ("/readyz", 503, "info")])
def test_only_a_probe_that_was_content_is_of_no_interest(path: str, status: int, level: str) -> None:
    with capture_logs() as logs:
        StructlogHandler().emit(_access(path, status))
    assert [entry["log_level"] for entry in logs] == [level]


def test_what_else_a_library_says_keeps_its_level_and_its_error() -> None:
    with capture_logs() as logs:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            StructlogHandler().emit(_record("uvicorn.error", "it %s", "broke", level=logging.ERROR, error=True))
    [entry] = logs
    assert (entry["event"], entry["logger"], entry["text"]) == ("uvicorn_said", "uvicorn.error", "it broke")
    assert entry["log_level"] == "error"
    assert entry["exc_info"][0] is ZeroDivisionError


def test_a_record_that_cannot_be_told_does_not_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    StructlogHandler().emit(_record("library", "%d apples", "no number"))
