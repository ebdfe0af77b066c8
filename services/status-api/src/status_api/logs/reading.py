"""A page of one run's log: from a line on, filtered, within bounded time; and following it while it grows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Literal

from status_api.logs.lines import LogLine, parse_line, rank
from status_api.logs.source import BROKEN, Lines, open_lines
from status_api.queries.answers import Answer, NotFound
from status_api.view import View

Level = Literal["debug", "info", "warning", "error"]

MOST_LINES = 5_000
SEARCH_SECONDS = 1.0
"""A search that finds too little stops after so long, and says how far it came."""
_CONTEXT = 5
"""Lines shown before the first error."""
_FIRST_ERRORS_KEPT = 64
POLL_SECONDS = 1.0
_ERROR = re.compile(rb'"level": ?"(?:error|critical)"')


class LogPage(Answer):
    lines: tuple[LogLine, ...]
    first: int
    """Number of the first line given; 0 for none."""
    next_line: int | None
    """Where the next page begins; None at the end of what there is."""
    total: int | None
    """Lines in all, where that is known without reading everything."""
    scanned_to: int
    """With a search or filter: how far was looked. Go on from there."""
    ended: bool
    """The run is over: there will be no more lines."""
    first_error: int | None
    incomplete: str | None
    """Why lines may be missing: the process was killed, lines were dropped."""
    levels: dict[str, int]


def read_log(
    view: View,
    run_id: str,
    *,
    start: int | None = None,
    limit: int = 500,
    level: Level | None = None,
    step: str | None = None,
    model: str | None = None,
    search: str | None = None,
) -> LogPage:
    """From line `start`; None: at the first error, else the last `limit` lines. `level` is the least one. A search
    stops after a bounded time with `scanned_to`. Raises NotFound."""
    state = _state(view, run_id)
    lines = open_lines(view, run_id)
    limit = max(1, min(limit, MOST_LINES))
    first_error = _first_error(view, run_id, lines, ended=state != "running")
    if start is None:
        start = max(1, first_error - _CONTEXT) if first_error else max(1, lines.total - limit + 1)
    found: list[LogLine] = []
    scanned_to, dropped, damaged = max(0, start - 1), False, None
    filtered = bool(level or step or model or search)
    wanted = search.casefold() if search else None
    until = view.clock.monotonic() + SEARCH_SECONDS
    try:
        for number, raw in lines.from_line(max(1, start)):
            scanned_to = number
            if wanted is None or wanted in _searched(number, raw):
                line = parse_line(number, raw)
                if _fits(line, level, step, model):
                    found.append(line)
                    dropped |= line.event == "log_lines_dropped"
            if len(found) >= limit or (filtered and view.clock.monotonic() > until):
                break
    except BROKEN as exc:
        damaged = f"the log cannot be read beyond line {scanned_to}: {exc}"
    return LogPage(
        lines=tuple(found),
        first=found[0].number if found else 0,
        next_line=scanned_to + 1 if scanned_to < lines.total and not damaged else None,
        total=lines.total,
        scanned_to=scanned_to,
        ended=state != "running",
        first_error=first_error,
        incomplete=damaged or lines.gap or _why_incomplete(state, dropped=dropped),
        levels=lines.levels,
    )


def raw_log(view: View, run_id: str) -> Iterator[bytes]:
    """The whole log as it is, in chunks. Raises NotFound (before the first chunk)."""
    _state(view, run_id)
    return open_lines(view, run_id).raw()


def follow(
    view: View, run_id: str, after: int, *, wait: Callable[[float], None] = time.sleep
) -> Iterator[LogLine | None]:
    """Every line after number `after`, the earlier ones first, then new ones as they come; None now and then, so that
    the caller may see that nobody listens. Ends with the run. Raises NotFound."""
    _state(view, run_id)
    given = max(0, after)
    while True:
        ended = _state(view, run_id) != "running"
        for number, raw in open_lines(view, run_id).from_line(given + 1):
            yield parse_line(number, raw)
            given = number
        if ended:
            return
        yield None
        wait(POLL_SECONDS)


def _searched(number: int, raw: bytes) -> str:
    """The line as it is stored; and as it reads, where that differs."""
    text = raw.decode(errors="replace")
    if b"\\u" in raw:
        line = parse_line(number, raw)
        text = f"{text} {line.event} {line.text}"
    return text.casefold()


def _state(view: View, run_id: str) -> str:
    found = view.index.rows("select state from runs where id = ?", run_id)
    if not found:
        raise NotFound(f"there is no run {run_id}")
    return str(found[0]["state"])


def _fits(line: LogLine, level: Level | None, step: str | None, model: str | None) -> bool:
    if level and rank(line.level) < rank(level):
        return False
    return (step is None or line.step == step) and (model is None or line.model == model)


def _first_error(view: View, run_id: str, lines: Lines, *, ended: bool) -> int | None:
    """Found once for a run that has ended; None where there is none, or it was not found in time."""
    if lines.levels and not lines.levels.get("error") and not lines.levels.get("critical"):
        return None
    if not ended:
        return _look_for_error(view, lines)
    return view.extracts.get("first_error", run_id, lambda: _look_for_error(view, lines), at_most=_FIRST_ERRORS_KEPT)


def _look_for_error(view: View, lines: Lines) -> int | None:
    """By the bytes, of whole lines: parsing half a gigabyte would take minutes."""
    until = view.clock.monotonic() + SEARCH_SECONDS
    number, rest = 1, b""
    try:
        for piece in lines.raw():
            data = rest + piece
            end = data.rfind(b"\n") + 1
            found = _ERROR.search(data, 0, end)
            if found:
                return number + data.count(b"\n", 0, found.start())
            number, rest = number + data.count(b"\n", 0, end), data[end:]
            if view.clock.monotonic() > until:
                return None
    except BROKEN:
        return None
    return number if _ERROR.search(rest) else None


def _why_incomplete(state: str, *, dropped: bool) -> str | None:
    if state == "lost":
        return "the process died without a word: the last seconds of its log may be missing"
    return "the store did not take all lines in time; where some were dropped a line says how many" if dropped else None


__all__ = ["MOST_LINES", "POLL_SECONDS", "LogLine", "LogPage", "follow", "raw_log", "read_log"]
