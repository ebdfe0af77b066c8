"""What the HTTP server says, in the same structured stream as everything else."""

from __future__ import annotations

import logging
from typing import Any

import structlog

_PROBES = ("/livez", "/readyz")

LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"structlog": {"class": "status_api.server_log.StructlogHandler"}},
    "loggers": {"httpx": {"level": "WARNING"}},  # it tells whole addresses, and a webhook's is a secret
    "root": {"handlers": ["structlog"], "level": "INFO"},
}
"""For `logging.config.dictConfig`: every library's records, the server's among them."""


class StructlogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.name == "uvicorn.access" and isinstance(record.args, tuple) and len(record.args) == 5:
                _request(*record.args)
            else:
                _event(record)
        except Exception:
            self.handleError(record)


def _request(client: object, method: object, path: object, _: object, status: object) -> None:
    """At level debug for a probe that was content: a platform asks every few seconds."""
    path = str(path).partition("?")[0]  # what is asked for may hold a one-time code, or what somebody looks for
    is_dull = path in _PROBES and status == 200
    level = logging.DEBUG if is_dull else logging.INFO
    structlog.get_logger().log(level, "request_served", client=client, method=method, path=path, status=status)


def _event(record: logging.LogRecord) -> None:
    event = f"{record.name.partition('.')[0]}_said"
    more = {"exc_info": record.exc_info} if record.exc_info else {}
    structlog.get_logger().log(record.levelno, event, logger=record.name, text=record.getMessage(), **more)
