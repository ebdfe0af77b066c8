"""Serving until a signal asks to stop."""

from __future__ import annotations

import signal
import socket
from types import FrameType

import structlog
import uvicorn

from pageviews_core.errors import ConfigurationError
from pageviews_core.object_store import open_object_store
from status_api.main import create_app
from status_api.scheduler.open import open_scheduler
from status_api.server_log import LOG_CONFIG
from status_api.settings import StatusSettings

_LAST_REQUESTS_SECONDS = 10
"""Less than a platform's usual grace period of 30."""
_BACKLOG = 2048

log = structlog.get_logger()


def serve(settings: StatusSettings) -> None:
    """Returns after SIGTERM or SIGINT, once the requests that had begun are answered.

    Raises ConfigurationError where the address cannot be had, or the store not be opened.
    """
    open_object_store(settings)  # a bad address ends here, and not somewhere in the server
    open_scheduler(settings)
    config = uvicorn.Config(
        create_app(settings),
        log_config=LOG_CONFIG,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
        server_header=False,
        proxy_headers=False,  # whom to believe is our own setting
    )
    server = uvicorn.Server(config)

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    # Before the server has its own handlers, and after: it raises the signal once more when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with _listening(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        log.info("serving", host=host, port=port)
        server.run(sockets=[listener])
    log.info("stopped")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # Inherited by each connection. asyncio sets it only where a socket names its protocol, which this one does not:
        # without it an answer's body waits 40 ms for the acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as exc:
        raise ConfigurationError(
            f"cannot serve on PAGEVIEWS_HOST={host!r}, PAGEVIEWS_PORT={port}: {exc.strerror or exc}"
        ) from exc
