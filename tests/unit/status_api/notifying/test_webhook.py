from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from time import sleep

import pytest
from standardwebhooks import Webhook as Verifier
from tests.unit.status_api.notifying.test_message import FIRING

from status_api.notifying import webhook
from status_api.notifying.webhook import NotTaken, Webhook
from status_api.settings import StatusSettings

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG9uZw=="


@contextmanager
def receiver(status: int | None) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Its address and what it got; None: it never answers."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            if status is None:
                self.connection.settimeout(5)
                self.rfile.read(1)  # until the other side has gone
                return
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()


def test_the_signature_is_what_standard_webhooks_verifies() -> None:
    with receiver(204) as (url, got):
        Webhook(StatusSettings(webhook_url=url, webhook_secret=SECRET)).post(FIRING, datetime.now(UTC))
    [(headers, body)] = got
    lower = {name.lower(): value for name, value in headers.items()}
    verified = Verifier(SECRET).verify(body, lower)
    assert json.loads(body) == verified
    assert lower["webhook-id"] == FIRING.id
    assert lower["content-type"].startswith("application/cloudevents+json")


def test_slack_gets_json_and_no_signature_without_a_secret() -> None:
    with receiver(200) as (url, got):
        Webhook(StatusSettings(webhook_url=url, webhook_format="slack")).post(FIRING, datetime.now(UTC))
    assert got[0][0]["Content-Type"] == "application/json"
    assert "webhook-signature" not in {name.lower() for name in got[0][0]}


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_other_answer_is_no_success_and_redirects_are_not_followed(status: int) -> None:
    with receiver(status) as (url, _), pytest.raises(NotTaken, match=f"HTTP {status}"):
        Webhook(StatusSettings(webhook_url=url)).post(FIRING, datetime.now(UTC))


def test_one_that_hangs_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.2)
    with receiver(None) as (url, got), pytest.raises(NotTaken, match="ReadTimeout"):
        Webhook(StatusSettings(webhook_url=url)).post(FIRING, datetime.now(UTC))
    assert len(got) == 1


def test_one_that_answers_in_drops_costs_a_bounded_time_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_WHOLE_SECONDS", 0.3)
    enough = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not enough.wait(0.05):
                    connection.sendall(b"x")  # no read of the client ever waits for long
                connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")

        dripping = Thread(target=drip, daemon=True)
        dripping.start()
        sender = Webhook(StatusSettings(webhook_url=f"http://127.0.0.1:{server.getsockname()[1]}/hook"))
        with pytest.raises(NotTaken, match="no whole answer"):
            sender.post(FIRING, datetime.now(UTC))
        with pytest.raises(NotTaken, match="still answering"):
            sender.post(FIRING, datetime.now(UTC))
        enough.set()
        dripping.join(5)
    with pytest.raises(NotTaken, match="ConnectError"):  # the thread has gone, so the next message is tried
        _until_free(sender)


def test_a_bug_is_not_taken_for_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise KeyError("title")

    monkeypatch.setattr(webhook, "as_cloud_event", broken)
    with pytest.raises(KeyError):
        Webhook(StatusSettings(webhook_url="http://127.0.0.1:1/hook")).post(FIRING, datetime.now(UTC))


def _until_free(sender: Webhook) -> None:
    for _ in range(100):
        try:
            sender.post(FIRING, datetime.now(UTC))
        except NotTaken as exc:
            if "still answering" not in str(exc):
                raise
            sleep(0.05)


def test_one_that_is_not_there_is_not_named_in_the_error() -> None:
    with pytest.raises(NotTaken) as raised:
        Webhook(StatusSettings(webhook_url="http://127.0.0.1:1/secret-path")).post(FIRING, datetime.now(UTC))
    assert "secret-path" not in str(raised.value)
