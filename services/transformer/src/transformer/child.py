"""Running one batch in a process of its own, so that its memory and the warehouse's file come back when it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog
from pydantic import ValidationError

from pageviews_core import errors
from pageviews_core.decoding.scratch import writing
from pageviews_core.errors import PageviewsError, TransformFailed
from pageviews_core.job.stopping import Stopping
from pageviews_core.logging import emit
from transformer.protocol import Batch, BatchError, BatchResult

_POLL_SECONDS = 0.05
_KILL_AFTER_SECONDS = 15

log = structlog.get_logger()


def run_child(batch: Batch, folder: Path, stopping: Stopping) -> BatchResult:
    """Passes the child's events on as our own, and returns what it did.

    A child that died without a word (out of memory, killed) is a result with the error TransformFailed. Raises Stopped
    where a stop was asked for; the child is ended first. The child's stdin stays open for as long as this process
    lives, which is how it learns that it was left alone.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    results: list[BatchResult] = []
    child = subprocess.Popen(
        [sys.executable, "-m", "transformer.batch", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    context = structlog.contextvars.get_contextvars()
    reader = threading.Thread(target=_pass_on, args=(child.stdout, context, results), daemon=True)
    reader.start()
    try:
        child.stdin.write(f"{batch.model_dump_json()}\n")
        child.stdin.flush()
    except BrokenPipeError:
        log.warning("batch_child_did_not_listen")
    code = _wait(child, stopping)
    reader.join()
    child.stdout.close()
    with suppress(BrokenPipeError):  # what could not be written is tried again here
        child.stdin.close()
    stopping.check()
    if results:
        return results[-1]
    return BatchResult(error=BatchError(type=TransformFailed.__name__, message=_last_words(code)))


def raised(error: BatchError) -> PageviewsError:
    """The child's error as the exception it was."""
    kind = getattr(errors, error.type, None)
    if isinstance(kind, type) and issubclass(kind, PageviewsError):
        return kind(error.message)
    return PageviewsError(f"{error.type}: {error.message}")


def _wait(child: subprocess.Popen[str], stopping: Stopping) -> int:
    asked = False
    while True:
        try:
            return child.wait(timeout=_KILL_AFTER_SECONDS if asked else _POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if asked:
                child.kill()
            elif stopping.asked():
                child.terminate()
                asked = True


def _pass_on(lines: IO[str], context: dict[str, object], results: list[BatchResult]) -> None:
    structlog.contextvars.bind_contextvars(**context)  # a thread starts without its parent's
    for line in lines:
        try:
            result = BatchResult.of_line(line)
        except ValidationError:  # it died in the middle of it
            continue
        if result is not None:
            results.append(result)
            continue
        try:
            event = json.loads(line)
        except ValueError:
            event = {"event": "batch_output", "text": line.rstrip()}
        if isinstance(event, dict):
            emit(event)


def _last_words(code: int) -> str:
    if code == -9:
        return "the process of the batch was killed (signal 9): most likely out of memory; see PAGEVIEWS_MEMORY_LIMIT"
    return f"the process of the batch ended with code {code} and said nothing; its log has the last events"
