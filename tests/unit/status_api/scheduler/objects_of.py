"""Kubernetes objects as its API gives them, cut to what is read."""

from __future__ import annotations

from typing import Any

CREATED = "2026-11-20T10:00:00Z"
OURS = {"pageviews-ingestor": "ingestor", "pageviews-transformer": "transformer"}


def job(uid: str = "job-1", owner: str = "pageviews-ingestor", *conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": uid, "name": f"name-of-{uid}", "creationTimestamp": CREATED,
            "ownerReferences": [{"kind": "CronJob", "name": owner, "uid": "cron"}],
        },
        "status": {"startTime": CREATED, "conditions": list(conditions)},
    }  # fmt: skip


def condition(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": CREATED}


def pod(phase: str, of: str = "job-1", uid: str = "pod-1", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": uid, "name": f"name-of-{uid}", "creationTimestamp": CREATED,
            "ownerReferences": [{"kind": "Job", "name": f"name-of-{of}", "uid": of}],
        },
        "status": {"phase": phase, **status},
    }  # fmt: skip


def terminated(reason: str, code: int, message: str = "") -> list[dict[str, Any]]:
    state = {"reason": reason, "exitCode": code, "message": message, "startedAt": CREATED, "finishedAt": CREATED}
    return [{"image": "i", "state": {"terminated": state}}]


def waiting(reason: str, message: str = "") -> list[dict[str, Any]]:
    return [{"image": "no-such:1", "state": {"waiting": {"reason": reason, "message": message}}}]


def warning(about: str, reason: str, message: str, at: str = CREATED) -> dict[str, Any]:
    return {"metadata": {}, "involvedObject": {"uid": about}, "reason": reason, "message": message, "lastTimestamp": at}


def cron_job(name: str = "pageviews-ingestor", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app.kubernetes.io/component": name.rpartition("-")[2]}},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
    }
    return {
        "metadata": {"name": name, "uid": f"uid-of-{name}", "labels": {}},
        "spec": {"schedule": "*/5 * * * *", "startingDeadlineSeconds": 270, "jobTemplate": template, **spec},
        "status": {"lastScheduleTime": CREATED},
    }
