from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from pageviews_core.logging import add_sink, configure_logging, emit, remove_sink


@pytest.fixture(autouse=True)
def restored_structlog() -> Iterator[None]:
    with structlog.contextvars.bound_contextvars():
        structlog.contextvars.clear_contextvars()
        yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    kept: list[bytes] = []
    add_sink(kept.append)
    yield kept
    remove_sink(kept.append)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_event_is_one_json_line_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", service="pageviews-ingestor")
    with structlog.contextvars.bound_contextvars(hour="2026-11-20T09"):
        structlog.get_logger().info("hour_loaded", rows=3, text="a\nb", path=object)
    (event,) = printed(capsys)
    assert {"event": "hour_loaded", "level": "info", "rows": 3, "hour": "2026-11-20T09"}.items() <= event.items()
    assert event["service"] == "pageviews-ingestor"
    assert str(event["time"]).endswith("Z")


def test_auto_means_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("auto", "info", service="x")
    structlog.get_logger().info("said")
    assert printed(capsys)[0]["event"] == "said"


@pytest.mark.parametrize(("level", "least"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_only_events_from_the_level_on_are_written(
    capsys: pytest.CaptureFixture[str], lines: list[bytes], level: str, least: int
) -> None:
    configure_logging("json", level, service="x")
    log = structlog.get_logger()
    for say in (log.debug, log.info, log.warning, log.error):
        say("said")
    assert len(printed(capsys)) == len(lines) == least


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_sink_gets_the_same_event_as_json_whatever_the_screen_shows(
    capsys: pytest.CaptureFixture[str], lines: list[bytes], log_format: str
) -> None:
    configure_logging(log_format, "info", service="x")
    structlog.get_logger().warning("odd", name="Ü", bad="\udc80")
    event = json.loads(lines[0])
    assert (event["event"], event["level"], event["name"], event["service"]) == ("odd", "warning", "Ü", "x")
    assert lines[0].endswith(b"\n")
    assert lines[0].count(b"\n") == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_sink_keeps_the_traceback(capsys: pytest.CaptureFixture[str], lines: list[bytes], log_format: str) -> None:
    configure_logging(log_format, "info", service="x")
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    assert "ZeroDivisionError: by nothing" in json.loads(lines[0])["exception"]
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_a_removed_sink_gets_nothing_more(lines: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", service="x")
    other: list[bytes] = []
    add_sink(other.append)
    structlog.get_logger().info("first")
    remove_sink(other.append)
    structlog.get_logger().info("second")
    assert (len(other), len(lines)) == (1, 2)


def test_an_event_of_a_child_keeps_its_level_and_gets_this_process_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", service="parent")
    with structlog.contextvars.bound_contextvars(run_id="r"):
        emit({"event": "dbt 100% done", "level": "warning", "time": "x", "service": "child", "model": "fct"})
        emit({"event": "plain"})
        emit({"event": "odd", "level": "no_such_level"})
        emit({"event": "hidden", "level": "debug"})
    first, second, third = printed(capsys)
    assert (first["event"], first["level"], first["model"]) == ("dbt 100% done", "warning", "fct")
    assert (first["service"], first["run_id"]) == ("parent", "r")
    assert (second["level"], third["level"]) == ("info", "info")
