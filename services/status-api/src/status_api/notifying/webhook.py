"""One POST to the receiver, signed as Standard Webhooks says (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hmac
import threading
from datetime import datetime

import httpx

from status_api.notifying.message import Message, as_cloud_event, as_slack
from status_api.settings import StatusSettings

_SECONDS = 10.0
"""To connect, to send, and for each piece of the answer: a receiver that hangs keeps the notifier waiting, and nobody
else."""
_WHOLE_SECONDS = 20.0
"""For all of it: an answer may come in very small pieces."""


class NotTaken(Exception):
    """The receiver did not answer, or not with a success. The text holds nothing of its address."""


class Webhook:
    """Its `post` is for one thread."""

    def __init__(self, settings: StatusSettings) -> None:
        self._settings = settings
        self._posting: threading.Thread | None = None

    def post(self, message: Message, now: datetime) -> None:
        """Raises NotTaken."""
        if self._posting and self._posting.is_alive():
            raise NotTaken("still answering an earlier message")
        outcome: list[Exception] = []

        def post() -> None:
            try:
                self._post(message, now)
            except Exception as exc:
                outcome.append(exc)

        # A thread of its own, since no time-out of a client is one for the whole answer. At most one is left behind.
        self._posting = threading.Thread(target=post, name="webhook", daemon=True)
        self._posting.start()
        self._posting.join(_WHOLE_SECONDS)
        if self._posting.is_alive():
            raise NotTaken(f"no whole answer within {_WHOLE_SECONDS:.0f} s")
        if outcome:
            raise outcome[0]

    def _post(self, message: Message, now: datetime) -> None:
        settings = self._settings
        if settings.webhook_format == "slack":
            body, kind = as_slack(message, settings.page_url), "application/json"
        else:
            body, kind = as_cloud_event(message, settings.page_url), "application/cloudevents+json; charset=utf-8"
        headers = {"Content-Type": kind, "User-Agent": "wikipedia-pageviews"}
        if settings.webhook_secret:
            headers |= signature(settings.webhook_secret, message.id, int(now.timestamp()), body)
        try:
            with httpx.stream("POST", settings.webhook_url, content=body, headers=headers, timeout=_SECONDS) as answer:
                status, taken = answer.status_code, answer.is_success  # its body may be as long as it likes
        except httpx.HTTPError as exc:
            raise NotTaken(type(exc).__name__) from exc
        if not taken:
            raise NotTaken(f"HTTP {status}")


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; `secret` is `whsec_` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
