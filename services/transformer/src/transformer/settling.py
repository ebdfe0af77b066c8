"""After the work: the watermark moves up over complete hours, and requests that are settled are closed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from pageviews_core.failures import Failures
from pageviews_core.hour import Hour, hour_range
from pageviews_core.job.session import Session
from pageviews_core.keys import FailureKey
from pageviews_core.markers import newest_generations
from pageviews_core.records.request import ProgressOutcome, Request
from pageviews_core.requests import Requests
from pageviews_core.watermark import Watermark
from transformer.planning import Picture


def raise_watermark(session: Session, picture: Picture, done: Mapping[Hour, int], *, absent_after: timedelta) -> None:
    """Up to the first expected hour that is neither complete nor absent; `done`: generations transformed since the
    picture was taken."""
    first = picture.floor or picture.start or min(picture.ingested, default=None)
    if first is None:
        return
    unpublished = Failures(session.journal, "ingested").newest()
    transformed = {**picture.transformed, **done}
    before = first
    for hour in hour_range(first, max(picture.ingested, default=first) + 1):
        if hour in picture.ingested:
            passed = transformed.get(hour, 0) >= picture.ingested[hour]
        else:  # before the start nothing is expected, but single hours may have been asked for
            unexpected = picture.start is not None and hour < picture.start
            passed = unexpected or _absent(unpublished.get(hour), hour, session, absent_after)
        if not passed:
            break
        before = hour + 1
    watermark, settled = Watermark(session.journal), picture.settled
    if before == first:
        return
    start = settled.start if settled and settled.before == first else first
    if watermark.raise_to(start, before, picture.settled_etag):
        # A generation marked since the picture was taken needed no lower watermark then: it would be passed over.
        states = _completeness(session, first, before + -1)
        overlooked = min((hour for hour, is_complete in states.items() if not is_complete), default=None)
        if overlooked is not None:
            watermark.lower_to(overlooked)


def _absent(failure: FailureKey | None, hour: Hour, session: Session, absent_after: timedelta) -> bool:
    if failure is None or failure.kind != "unpublished":
        return False
    return session.clock.now() - hour.ended_at > absent_after


def close_settled_requests(session: Session, open_requests: list[Request]) -> None:
    """A request ends when each of its hours is complete, or has failed since it was asked for."""
    requests = Requests(session.journal)
    stages = [Failures(session.journal, "ingested"), Failures(session.journal, "transformed")]
    newest = [(failures, failures.newest()) for failures in stages]
    for request in open_requests:
        forced = request.force or request.kind == "transform"
        outcomes = _outcomes(requests, request) if forced else _done(session, request.hours)
        failed: list[Hour] = []
        for hour in request.hours:
            if outcomes.get(hour) == "done":
                continue
            if hour not in outcomes and not any(
                _failed_since(one, listed.get(hour), request) for one, listed in newest
            ):
                break
            failed.append(hour)
        else:
            requests.close(request, "failed" if failed else "done", tuple(failed), session.clock.now())


def _outcomes(requests: Requests, request: Request) -> dict[Hour, ProgressOutcome]:
    loaded = requests.hours_dealt_with(request, "ingestor") if request.force else {}
    not_loaded = {hour: outcome for hour, outcome in loaded.items() if outcome == "failed"}
    return {**not_loaded, **requests.hours_dealt_with(request, "transformer")}


def _done(session: Session, hours: Collection[Hour]) -> dict[Hour, ProgressOutcome]:
    """Those of the hours that are complete, from one listing of each stage: a backfill may have thousands."""
    first, last = min(hours), max(hours)
    complete = _completeness(session, first, last)
    return {hour: "done" for hour in hours if complete.get(hour)}


def _completeness(session: Session, first: Hour, last: Hour) -> dict[Hour, bool]:
    """Of the hours that are ingested: whether their newest generation is transformed."""
    ingested = newest_generations(session.store, "ingested", first, last)
    transformed = newest_generations(session.store, "transformed", first, last)
    return {hour: transformed.get(hour, 0) >= generation for hour, generation in ingested.items()}


def _failed_since(failures: Failures, key: FailureKey | None, request: Request) -> bool:
    failure = failures.read(key) if key else None
    return failure is not None and failure.at > request.created_at
