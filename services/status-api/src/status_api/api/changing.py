"""Everything that an operator may change."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pageviews_core.hour import Hour
from pageviews_core.records.run import Job
from status_api.access.actor import Actor
from status_api.access.guards import require_operator
from status_api.api.answering import CHANGING, Looking
from status_api.problems import described, problem
from status_api.queries import hours, notes, plans, requests, schedules

router = APIRouter(responses=CHANGING)

Operator = Annotated[Actor, Depends(require_operator)]
RequestId = Annotated[str, Path(max_length=26)]
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=255, description="The same key and body again give the same answer, and no second request"),
]


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hours: Annotated[tuple[Hour, ...], Field(min_length=1, max_length=notes.MOST_HOURS)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    until: AwareDatetime


@router.post(
    "/requests",
    operation_id="createRequest",
    tags=["requests"],
    status_code=202,
    response_model=requests.RequestSummary,
    responses={
        200: {"model": plans.Plan, "description": "With `dry_run`: what would be done"},
        409: described("What would be done is not what the dry run said; `plan` has the new one"),
    },
)
def create_request(
    view: Looking,
    actor: Operator,
    order: Annotated[plans.Order, Body()],
    dry_run: Annotated[bool, Query(description="Say what would be done, and do nothing")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ask for a manual run, a reload, a backfill, a retry or a cancellation. The jobs take it at their next tick, a
    `watch` within seconds."""
    try:
        if dry_run:
            return _answer(plans.plan_order(view, order), HTTPStatus.OK)
        made = requests.submit(view, order, actor, idempotency_key=idempotency_key)
    except requests.PlanChanged as exc:
        return problem(HTTPStatus.CONFLICT, str(exc), plan=exc.plan.model_dump(mode="json"))
    except (plans.OrderRefused, requests.KeyReused) as exc:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))
    return _answer(made, HTTPStatus.ACCEPTED, {"Location": f"/api/v1/requests/{made.id}"})


@router.post(
    "/requests/{request_id}/cancel",
    operation_id="cancelRequest",
    tags=["requests"],
    status_code=202,
    response_model=requests.RequestSummary,
)
def cancel_request(view: Looking, actor: Operator, request_id: RequestId) -> Response:
    return _order(view, actor, plans.Order(want="cancel", of=request_id))


@router.post(
    "/requests/{request_id}/retry",
    operation_id="retryRequest",
    tags=["requests"],
    status_code=202,
    response_model=requests.RequestSummary,
)
def retry_request(view: Looking, actor: Operator, request_id: RequestId) -> Response:
    """The hours of the request that have failed, once more."""
    return _order(view, actor, plans.Order(want="retry_failed", of=request_id))


@router.post(
    "/notes", operation_id="createNotes", tags=["notes"], status_code=201, response_model=tuple[hours.Note, ...]
)
def create_notes(view: Looking, actor: Operator, note: NewNote) -> Response:
    """Acknowledge hours: until the end they are in no list of problems. They keep their state and their warnings."""
    try:
        made = notes.add_note(view, note.hours, note.reason, _utc(note.until), actor)
    except notes.NoteRefused as exc:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))
    content = b"[" + b",".join(each.model_dump_json().encode() for each in made) + b"]"
    return Response(content, 201, media_type="application/json")


@router.delete("/notes/{note_id}", operation_id="deleteNote", tags=["notes"], status_code=204)
def delete_note(view: Looking, actor: Operator, note_id: Annotated[str, Path(max_length=26)]) -> Response:
    notes.delete_note(view, note_id, actor)
    return Response(status_code=204)


@router.post(
    "/schedules/{job}/suspend", operation_id="suspendSchedule", tags=["schedules"], response_model=schedules.Schedule
)
def suspend_schedule(view: Looking, actor: Operator, job: Job) -> Response:
    """Requests are still taken."""
    return _answer(schedules.set_suspended(view, job, True, actor), HTTPStatus.OK)


@router.post(
    "/schedules/{job}/resume", operation_id="resumeSchedule", tags=["schedules"], response_model=schedules.Schedule
)
def resume_schedule(view: Looking, actor: Operator, job: Job) -> Response:
    return _answer(schedules.set_suspended(view, job, False, actor), HTTPStatus.OK)


def _order(view: Looking, actor: Actor, order: plans.Order) -> Response:
    try:
        made = requests.submit(view, order, actor)
    except plans.OrderRefused as exc:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(exc))
    return _answer(made, HTTPStatus.ACCEPTED, {"Location": f"/api/v1/requests/{made.id}"})


def _answer(answer: BaseModel, status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, "application/json")


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
