"""One POST to the receiver, signed as Standard Webhooks says (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime

import httpx

from status_api.notifying.message import Message, as_cloud_event, as_slack
from status_api.settings import StatusSettings

_SECONDS = 10.0
"""To connect, to send and to answer, each: a receiver that hangs keeps the notifier waiting, and nobody else."""


class NotTaken(Exception):
    """The receiver did not answer, or not with a success. The text holds nothing of its address."""


class Webhook:
    def __init__(self, settings: StatusSettings) -> None:
        self._settings = settings

    def post(self, message: Message, now: datetime) -> None:
        """Raises NotTaken."""
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
