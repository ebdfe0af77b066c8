"""The transformer's child processes, forked from one that has imported dbt already: half of a small batch's time.

    zygote = start_zygote(main)    # while the job has only one thread
    ...                            # its batches are then forked, and run `main` with the command's last argument

A batch is a process as any other: it has its own pid, pipes and exit code, and is in the job's process group.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import transformer.child


def start_zygote(main: Callable[[], None]) -> None:
    """Forks the process that the batches will be forked from, and makes the transformer use it."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _serve(theirs, main)
    theirs.close()
    warm = SimpleNamespace(
        Popen=partial(WarmBatch, ours), PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired
    )
    setattr(transformer.child, "subprocess", warm)  # noqa: B010 - no module declares it as its own


class WarmBatch:
    """As much of Popen as the transformer needs; one at a time."""

    def __init__(self, zygote: socket.socket, command: list[str], *, stdin: int, stdout: int, text: bool) -> None:
        assert command[1:3] == ["-m", "transformer.batch"]
        assert (stdin, stdout, text) == (subprocess.PIPE, subprocess.PIPE, True)
        self._zygote = zygote
        self._code: int | None = None
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        socket.send_fds(zygote, [json.dumps(command[3:]).encode()], [to_read, from_write])
        os.close(to_read)
        os.close(from_write)
        self.stdin = open(to_write, "w")  # noqa: SIM115, PTH123 - as Popen's, closed by its user
        self.stdout = open(from_read)  # noqa: SIM115, PTH123 - as above
        self.pid = self._number()

    def wait(self, timeout: float) -> int:
        if self._code is None:
            if not select.select([self._zygote], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("batch", timeout)
            self._code = self._number()
        return self._code

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _number(self) -> int:
        return int.from_bytes(self._zygote.recv(4), signed=True)


def _serve(job: socket.socket, main: Callable[[], None]) -> None:
    """Forks a batch for each command, and says its pid and then its exit code, until the job is gone. Never returns."""
    while True:
        message, pipes, _, _ = socket.recv_fds(job, 65536, 2)
        if not message:
            os._exit(0)
        batch = os.fork()
        if batch == 0:
            job.close()
            _be_batch(json.loads(message), pipes, main)
        for pipe in pipes:
            os.close(pipe)
        _tell(job, batch)
        _tell(job, os.waitstatus_to_exitcode(os.waitpid(batch, 0)[1]))


def _tell(job: socket.socket, number: int) -> None:
    try:
        job.send(number.to_bytes(4, signed=True))
    except OSError:  # the job was killed
        os._exit(0)


def _be_batch(arguments: list[str], pipes: list[int], main: Callable[[], None]) -> None:
    for target, pipe in enumerate(pipes):
        os.dup2(pipe, target)
        os.close(pipe)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives; 0 is no path
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - as above
    sys.argv = ["transformer.batch", *arguments]
    code: Any = 0
    try:
        main()
    except SystemExit as exc:
        code = exc.code
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code or 0)
