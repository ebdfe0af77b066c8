"""Which problem is told, by whom, and when it is over. `notifications/` remembers it for all replicas.

A problem is told once it has stood for a while, and its end once it has been gone for as long: between two attempts at
an hour a failure comes and goes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Literal, Protocol, Self

import structlog
from ulid import ULID

from pageviews_core import keys
from pageviews_core.errors import PageviewsError, UnknownSchemaVersion
from pageviews_core.object_store.base import ObjectChanged, ObjectExists
from pageviews_core.records.notification import Notification
from status_api.notifying.message import Message
from status_api.notifying.webhook import NotTaken
from status_api.queries.problems import Problem
from status_api.queries.status import read_status
from status_api.view import View

LOOK_SECONDS = 30.0
_FIRST_SECONDS = 1.0
"""Until the store was read whole."""
TAKEN_OVER_AFTER = timedelta(minutes=2)
ATTEMPTS = 30
"""Some hour, at one in two minutes; then a message is dropped and counted."""
STORE_DOWN = "store_down"

log = structlog.get_logger()


class Sender(Protocol):
    def post(self, message: Message, now: datetime) -> None:
        """Raises NotTaken."""
        ...


class Notifier:
    """A thread of its own while entered; nothing waits for it."""

    def __init__(self, view: View, sender: Sender, *, after: timedelta) -> None:
        self._view = view
        self._sender = sender
        self._after = after
        self._seen_since: dict[str, datetime] = {}
        self._gone_since: dict[str, datetime] = {}
        self._store_down_since: datetime | None = None
        self._store_down_id: str | None = None
        self._looked = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Raises what the store raises; nothing is lost by that."""
        view, now = self._view, self._view.now()
        if not view.index.filling.complete:
            return
        self._looked = True
        problems = {problem.cause: problem for problem in read_status(view).problems}
        down = problems.pop(STORE_DOWN, None)
        self._tell_of_store(down, now)
        if down:
            return  # the rest is as it was last known, and nothing can be remembered
        self._seen_since = {cause: self._seen_since.get(cause, now) for cause in problems}
        told = {found.cause: (found, etag) for found, etag in self._told()}
        self._gone_since = {cause: self._gone_since.get(cause, now) for cause in told.keys() - problems.keys()}
        for cause, problem in problems.items():
            if cause in told:
                self._send_again(*told[cause], problem, now)
            elif now - self._seen_since[cause] >= self._after:
                self._begin(problem, now)
        for cause in self._gone_since:
            if now - self._gone_since[cause] >= self._after:
                self._end(*told[cause], now)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS if self._looked else _FIRST_SECONDS):
            try:
                self.look()
            except PageviewsError as exc:
                log.warning("notifier_waits", error_type=type(exc).__name__, error=str(exc))
            except Exception:
                log.exception("notifier_failed")

    def _told(self) -> Iterable[tuple[Notification, str]]:
        for info in self._view.store.list(keys.NOTIFICATIONS):
            try:
                found = self._view.journal.read(info.key, Notification)
            except UnknownSchemaVersion as exc:
                log.warning("notification_unreadable", error=str(exc))
                continue
            if found:
                yield found

    def _begin(self, problem: Problem, now: datetime) -> None:
        since = problem.since or self._seen_since[problem.cause]
        record = Notification(
            cause=problem.cause, id=str(ULID.from_datetime(now)), state="firing", title=problem.title, since=since,
            claimed_at=now, attempts=1,
        )  # fmt: skip
        try:
            etag = self._view.store.create(keys.notification(problem.cause), record.encode())
        except ObjectExists:
            return  # another replica tells it
        self._send(record, etag, problem, now)

    def _send_again(self, record: Notification, etag: str, problem: Problem, now: datetime) -> None:
        if record.state == "told" or now - record.claimed_at < TAKEN_OVER_AFTER:
            return
        if record.state == "resolving":  # it came back, and its end may or may not have been told
            record = record.model_copy(update={"id": str(ULID.from_datetime(now)), "attempts": 0})
        self._claim_and_send(record, etag, "firing", problem, now)

    def _end(self, record: Notification, etag: str, now: datetime) -> None:
        if record.state == "firing" and now - record.claimed_at >= TAKEN_OVER_AFTER:
            self._forget(record, etag)  # nobody was ever told
        elif record.state == "told" or now - record.claimed_at >= TAKEN_OVER_AFTER:
            fresh = record.model_copy(update={"attempts": 0}) if record.state == "told" else record
            self._claim_and_send(fresh, etag, "resolving", None, now)

    def _claim_and_send(
        self,
        record: Notification,
        etag: str,
        state: Literal["firing", "resolving"],
        problem: Problem | None,
        now: datetime,
    ) -> None:
        claimed = record.model_copy(update={"state": state, "claimed_at": now, "attempts": record.attempts + 1})
        if new := self._swap(claimed, etag):
            self._send(claimed, new, problem, now)

    def _send(self, record: Notification, etag: str, problem: Problem | None, now: datetime) -> None:
        over = record.state == "resolving"
        message = Message(
            id=f"{record.id}-{'resolved' if over else 'firing'}",
            state="resolved" if over else "firing",
            cause=record.cause,
            title=record.title,
            since=record.since,
            at=now,
            problem=problem,
        )
        taken = self._post(message, now)
        if not taken and record.attempts < ATTEMPTS:
            return  # as it stands: it is tried again, by whoever comes first
        if not taken:
            log.error("notification_dropped", cause=record.cause, attempts=record.attempts)
            self._view.notifications["dropped"] += 1
        if over:
            self._forget(record, etag)
        else:
            self._swap(record.model_copy(update={"state": "told"}), etag)

    def _post(self, message: Message, now: datetime) -> bool:
        try:
            self._sender.post(message, now)
        except NotTaken as exc:
            log.warning("notification_not_taken", cause=message.cause, state=message.state, error=str(exc))
            self._view.notifications["failed"] += 1
            return False
        log.info("notification_sent", cause=message.cause, state=message.state, id=message.id)
        self._view.notifications["sent"] += 1
        return True

    def _tell_of_store(self, down: Problem | None, now: datetime) -> None:
        """Each replica for itself: there is nowhere to remember it."""
        if down is None:
            if self._store_down_id:
                title = "The object store cannot be read"
                ended = f"{self._store_down_id}-resolved"
                self._post(Message(ended, "resolved", STORE_DOWN, title, now, now, None), now)
            self._store_down_id = None
            self._store_down_since = None
            return
        self._store_down_since = self._store_down_since or now
        if not self._store_down_id and now - self._store_down_since >= self._after:
            message_id = str(ULID.from_datetime(self._store_down_since))
            message = Message(
                message_id + "-firing", "firing", STORE_DOWN, down.title, self._store_down_since, now, down
            )
            if self._post(message, now):
                self._store_down_id = message_id

    def _swap(self, record: Notification, etag: str) -> str | None:
        """The new ETag; None where another replica was faster."""
        try:
            return self._view.store.replace(keys.notification(record.cause), record.encode(), etag=etag)
        except ObjectChanged:
            return None

    def _forget(self, record: Notification, etag: str) -> None:
        try:
            self._view.store.delete(keys.notification(record.cause), etag=etag)
        except ObjectChanged:
            return
