"""What Kubernetes' objects say, read from its JSON: Jobs' conditions, pods and events joined.

Each alone is not enough: a deadline deletes the pod and leaves the Job's condition, a pod that admission refuses leaves
a Job without pod or condition and only an event, and why a container died stands in its pod alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pageviews_core.records.end import End
from pageviews_core.records.run import Job
from status_api.scheduler.base import CronJob, Trouble

Object = Mapping[str, Any]

PATIENCE = timedelta(seconds=20)
"""A pod may take so long to be made or placed before anybody hears of it."""
_DETAIL_KEPT = 2_000
_DOES_NOT_START = {
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError",
}  # fmt: skip
_DIED_BY_ITSELF = {"Error", "Completed"}
"""Reasons that say no more than the exit code."""


@dataclass(frozen=True)
class Found:
    """The Jobs of our CronJobs, with what belongs to each."""

    jobs: tuple[tuple[Job, Object], ...]
    pods: Mapping[str, tuple[Object, ...]]
    """By the Job's uid."""
    warnings: Mapping[str, tuple[Object, ...]]
    """Events by the uid of what they are about, oldest first."""


def found_among(
    names: Mapping[str, Job], jobs: Iterable[Object], pods: Iterable[Object], events: Iterable[Object]
) -> Found:
    """`names` are those of the CronJobs: what other CronJobs of the namespace own is not ours."""
    ours = []
    for job in jobs:
        owner = next((each["name"] for each in _owners(job) if each["kind"] == "CronJob" and each["name"] in names), "")
        if owner:
            ours.append((names[owner], job))
    by_job: dict[str, list[Object]] = {_uid(job): [] for _, job in ours}
    for pod in pods:
        for each in _owners(pod):
            if each["uid"] in by_job:
                by_job[each["uid"]].append(pod)
    about: dict[str, list[Object]] = {}
    for event in sorted(events, key=lambda event: str(_event_time(event))):
        about.setdefault(event["involvedObject"].get("uid", ""), []).append(event)
    return Found(
        tuple(ours), {uid: tuple(each) for uid, each in by_job.items()}, {uid: tuple(e) for uid, e in about.items()}
    )


def cron_job_of(name: str, content: Object | None, job: Job, found: Found) -> CronJob:
    """`content` None: there is no such CronJob."""
    if content is None:
        return CronJob(name, exists=False)
    spec, status = content["spec"], content.get("status") or {}
    return CronJob(
        name,
        exists=True,
        cron=spec["schedule"],
        suspended=bool(spec.get("suspend")),
        last_scheduled_at=_time(status.get("lastScheduleTime")),
        starting_deadline_seconds=spec.get("startingDeadlineSeconds") or 0,
        running=tuple(_name(each) for owner, each in found.jobs if owner == job and not _has_ended(each)),
    )


def troubles_in(found: Found, now: datetime) -> Iterator[Trouble]:
    for job, content in found.jobs:
        if _has_ended(content):
            continue
        pods = found.pods[_uid(content)]
        for pod in pods:
            yield from _trouble_of_pod(job, pod, found, now)
        since = _time(content["metadata"]["creationTimestamp"]) or now
        refusals = [event for event in found.warnings.get(_uid(content), ()) if event["reason"] == "FailedCreate"]
        if not pods and refusals and now - since > PATIENCE:
            yield Trouble(job, "refused", "FailedCreate", _kept(refusals[-1]["message"]), _name(content), since)


def ends_in(found: Found, now: datetime) -> Iterator[End]:
    """Of pods that failed, and of Jobs that failed without a pod to say why."""
    for job, content in found.jobs:
        pods = found.pods[_uid(content)]
        for pod in pods:
            if pod["status"].get("phase") == "Failed":
                yield _end_of_pod(job, content, pod, now)
        failed = _condition(content, "Failed")
        if failed and not pods:
            told = [
                event["message"]
                for event in found.warnings.get(_uid(content), ())
                if event["reason"] != failed["reason"]
            ]
            yield End(
                id=_uid(content), job=job, job_name=_name(content), pod=None, reason=failed["reason"],
                detail=_kept("; ".join([failed.get("message", ""), *told[-1:]])), exit_code=None,
                started_at=_time(content["status"].get("startTime")),
                at=_time(failed.get("lastTransitionTime")) or now,
            )  # fmt: skip


def _trouble_of_pod(job: Job, pod: Object, found: Found, now: datetime) -> Iterator[Trouble]:
    status = pod["status"]
    if status.get("phase") != "Pending":
        return
    since = _time(pod["metadata"]["creationTimestamp"]) or now
    for container in status.get("containerStatuses", ()):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _DOES_NOT_START:
            detail = waiting.get("message") or container.get("image", "")
            yield Trouble(job, "cannot_start", waiting["reason"], _kept(detail), _name(pod), since)
            return
    if now - since <= PATIENCE:
        return
    placed: Object = next((each for each in status.get("conditions", ()) if each["type"] == "PodScheduled"), {})
    if placed.get("status") == "False":
        reason, detail = placed.get("reason", "Unschedulable"), placed.get("message", "")
        yield Trouble(job, "cannot_be_scheduled", reason, _kept(detail), _name(pod), since)
        return
    for event in found.warnings.get(_uid(pod), ())[-1:]:  # a volume that cannot be mounted, a missing ConfigMap
        yield Trouble(job, "cannot_start", event["reason"], _kept(event["message"]), _name(pod), since)


def _end_of_pod(job: Job, content: Object, pod: Object, now: datetime) -> End:
    status = pod["status"]
    stopped = [
        container["state"]["terminated"]
        for container in status.get("containerStatuses", ())
        if (container.get("state") or {}).get("terminated")
    ]
    state: Object = stopped[0] if stopped else {}
    # The pod's reason (Evicted, …) says more than its container's, unless that is more than `Error`.
    told = [state.get("reason"), status.get("reason")]
    if not told[0] or told[0] in _DIED_BY_ITSELF:
        told.reverse()
    conditions = status.get("conditions", ())
    disrupted: Object = next((each for each in conditions if each["type"] == "DisruptionTarget"), {})
    reason = next(filter(None, told), None) or disrupted.get("reason") or "Failed"
    if reason in _DIED_BY_ITSELF and disrupted:
        reason = disrupted["reason"]
    detail = status.get("message") or disrupted.get("message") or state.get("message") or ""
    finished = _time(state.get("finishedAt"))
    return End(
        id=_uid(pod), job=job, job_name=_name(content), pod=_name(pod), reason=reason, detail=_kept(detail),
        exit_code=state.get("exitCode"), started_at=_time(state.get("startedAt")),
        at=finished or _time(disrupted.get("lastTransitionTime")) or _time(pod["metadata"]["creationTimestamp"]) or now,
    )  # fmt: skip


def _has_ended(job: Object) -> bool:
    return any(_condition(job, kind) for kind in ("Complete", "Failed"))


def _condition(job: Object, kind: str) -> Object | None:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            found: Object = condition
            return found
    return None


def _owners(content: Object) -> list[dict[str, str]]:
    return content["metadata"].get("ownerReferences") or []


def _uid(content: Object) -> str:
    return str(content["metadata"]["uid"])


def _name(content: Object) -> str:
    return str(content["metadata"]["name"])


def _event_time(event: Object) -> datetime:
    for text in (event.get("lastTimestamp"), event.get("eventTime"), event["metadata"].get("creationTimestamp")):
        if at := _time(text):
            return at
    return datetime.min.replace(tzinfo=UTC)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _kept(text: str) -> str:
    """The end of it, where a container's last lines stand."""
    return text.strip()[-_DETAIL_KEPT:]
