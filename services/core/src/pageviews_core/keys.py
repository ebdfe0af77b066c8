"""Where everything stands in the object store. Keys of hours sort as the hours do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from pydantic import TypeAdapter
from ulid import ULID

from pageviews_core.hour import Hour
from pageviews_core.records.failure import FailureKind
from pageviews_core.records.marker import Stage
from pageviews_core.records.request import ProgressOutcome
from pageviews_core.records.run import Job

START = "control/start.json"
SETTLED = "control/settled.json"
SCHEDULES = "control/schedules.json"
RECHECKS = "control/rechecks.json"
HOUSEKEEPING = "control/housekeeping.json"
PUBLISHED_INDEX = "published/index.json"
DBT_DOCS = "docs/dbt/"
RAW = "raw/pageviews/"
LANDING = "landing/pageviews/"
QUARANTINE = "quarantine/"
CHANGES = "changes/"
OPEN_REQUESTS = "requests/open/"
CLOSED_REQUESTS = "requests/closed/"
IDEMPOTENCY_KEYS = "requests/keys/"
NOTES = "notes/"
AUDIT = "audit/"
ENDS = "ends/"
NOTIFICATIONS = "notifications/"

_FAILURE_KIND: TypeAdapter[FailureKind] = TypeAdapter(FailureKind)
_PROGRESS_OUTCOME: TypeAdapter[ProgressOutcome] = TypeAdapter(ProgressOutcome)
_UNREADABLE = re.compile(r"[^A-Za-z0-9_]+")
_TIME = "%Y%m%dT%H%M%SZ"
_MARKER = re.compile(r"markers/[a-z]+/(?P<hour>.{13})/(?P<generation>[1-9][0-9]*)\.json")
_FAILURE = re.compile(
    r"failures/[a-z]+/(?P<hour>.{13})/(?P<attempt>[0-9]{5,})-(?P<next_try>[0-9]{8}T[0-9]{6}Z)-(?P<kind>[a-z]+)\.json"
)
_PROGRESS = re.compile(r"progress/[^/]+/[a-z]+/(?P<hour>.{13})/(?P<outcome>[a-z]+)\.json")


def raw(hour: Hour, file_name: str, sha256: str) -> str:
    """One key for each content, so that a restated file never overwrites the one before it."""
    return f"{RAW}{hour.path}/{sha256[:16]}/{file_name}"


def landing(hour: Hour, run_id: str) -> str:
    return f"{LANDING}{hour.path}/{run_id}/pageviews.parquet"


def quarantine(hour: Hour, run_id: str) -> str:
    return f"{QUARANTINE}{hour.path}/{run_id}.jsonl"


def evidence(hour: Hour, sha256: str) -> str:
    """A file that the source served and that was refused: once for each content."""
    return f"{QUARANTINE}{hour.path}/{sha256[:16]}.source"


def markers(stage: Stage) -> str:
    return f"markers/{stage}/"


def marker(stage: Stage, hour: Hour, generation: int) -> str:
    return f"{markers(stage)}{hour.path}/{generation}.json"


def parse_marker(key: str) -> tuple[Hour, int]:
    """The hour and generation of a marker's key. Raises ValueError for any other key."""
    found = _matched(_MARKER, key)
    return Hour.from_path(found["hour"]), int(found["generation"])


def tick(job: Job) -> str:
    return f"control/ticks/{job}.json"


def run(run_id: str) -> str:
    """The folder of a run; its day is that of its ULID, so the id alone finds it."""
    return f"runs/{time_of(run_id):%Y/%m/%d}/{run_id}"


def run_record(run_id: str) -> str:
    return f"{run(run_id)}/run.json"


def time_of(ulid: str) -> datetime:
    """When the ULID was made, UTC."""
    return ULID.from_str(ulid).datetime.astimezone(UTC)


def failures(stage: Stage) -> str:
    return f"failures/{stage}/"


class FailureKey(NamedTuple):
    """What a failure's key says, so that a listing is enough to know when an hour is due."""

    hour: Hour
    attempt: int
    next_try_at: datetime
    kind: FailureKind


def failure(stage: Stage, key: FailureKey) -> str:
    name = f"{key.attempt:05d}-{key.next_try_at:{_TIME}}-{key.kind}.json"
    return f"{failures(stage)}{key.hour.path}/{name}"


def parse_failure(key: str) -> FailureKey:
    """Raises ValueError for any other key."""
    found = _matched(_FAILURE, key)
    at = datetime.strptime(found["next_try"], _TIME).replace(tzinfo=UTC)
    return FailureKey(
        Hour.from_path(found["hour"]), int(found["attempt"]), at, _FAILURE_KIND.validate_python(found["kind"])
    )


def open_request(request_id: str) -> str:
    return f"{OPEN_REQUESTS}{request_id}.json"


def closed_request(request_id: str) -> str:
    return f"{CLOSED_REQUESTS}{request_id}.json"


def progress(request_id: str, job: Job, hour: Hour, outcome: ProgressOutcome) -> str:
    return f"{progress_of(request_id, job)}{hour.path}/{outcome}.json"


def progress_of(request_id: str, job: Job) -> str:
    return f"progress/{request_id}/{job}/"


def parse_progress(key: str) -> tuple[Hour, ProgressOutcome]:
    """Raises ValueError for any other key."""
    found = _matched(_PROGRESS, key)
    return Hour.from_path(found["hour"]), _PROGRESS_OUTCOME.validate_python(found["outcome"])


def idempotency_key(who: str, key: str) -> str:
    """One for each person and key; the key itself may be anything."""
    digest = sha256(b"\0".join((who.encode(), key.encode()))).hexdigest()
    return f"{IDEMPOTENCY_KEYS}{digest}.json"


def note(hour: Hour, note_id: str) -> str:
    return f"{NOTES}{hour}/{note_id}.json"


def audit(entry_id: str) -> str:
    return f"{AUDIT}{time_of(entry_id):%Y/%m/%d}/{entry_id}.json"


def end(at: datetime, end_id: str) -> str:
    """`end_id` is the uid that the platform gave the pod, so each is written once, by whoever sees it first."""
    return f"{ENDS}{at:%Y/%m/%d}/{end_id}.json"


def dbt_docs(digest: str) -> str:
    """Of a state of the dbt project; there is the last build's alone."""
    return f"{DBT_DOCS}{digest}.html.gz"


def notification(cause: str) -> str:
    """One for each cause of a problem; readable, and different for different causes."""
    readable = _UNREADABLE.sub("-", cause)[:60]
    return f"{NOTIFICATIONS}{readable}-{sha256(cause.encode()).hexdigest()[:12]}.json"


def change(change_id: str) -> str:
    return f"{CHANGES}{change_id}.json"


def _matched(pattern: re.Pattern[str], key: str) -> re.Match[str]:
    match = pattern.fullmatch(key)
    if match is None:
        raise ValueError(f"an object that does not belong there: {key!r}")
    return match
