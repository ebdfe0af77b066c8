"""Two replicas and a receiver: one message for a problem, and nothing of the receiver's address in what they say."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.integration.alerts.receivers import receivers
from tests.tools.status_process import StatusProcess

from pageviews_core import keys
from pageviews_core.journal import Journal
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.records.control import Schedules

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG9uZw=="


def test_a_problem_is_told_once_by_two_replicas_and_address_and_secret_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    journal = Journal(LocalObjectStore(tmp_path / "objects"))
    journal.put(keys.SCHEDULES, Schedules(suspended=("ingestor",)))
    with receivers() as received:
        settings = {
            "PAGEVIEWS_STORE_URL": (tmp_path / "objects").as_uri(),
            "PAGEVIEWS_WEBHOOK_URL": f"{received.http}/a-secret-path",
            "PAGEVIEWS_WEBHOOK_SECRET": SECRET,
            "PAGEVIEWS_WEBHOOK_AFTER": "0s",
        }
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        with StatusProcess(folders[0], settings) as one, StatusProcess(folders[1], settings) as two:
            for service in (one, two):
                service.wait_until_ready()
            event = received.wait_for(lambda: next((body for _, body in received.posts), None))
            assert event["subject"] == "schedule_suspended:ingestor"

            def noted_by_one() -> bool | None:
                posts = [httpx.get(f"{each.url}/metrics").text for each in (one, two)]
                found = [text.count('pageviews_notification_posts_total{outcome="sent"} 1.0') for text in posts]
                return sum(found) == 1 or None

            received.wait_for(noted_by_one)
            about = httpx.get(f"{one.url}/about").text
        logs = "".join(service.log.read_text() for service in (one, two))
    assert len(received.posts) == 1
    assert "notification_sent" in logs
    for secret in ("a-secret-path", SECRET):
        assert secret not in about
        assert secret not in logs
