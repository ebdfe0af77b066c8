"""Kubernetes: CronJobs start the jobs, and its API says what became of their pods.

The client is imported when it is chosen (it takes 55 MiB), and answers are read as JSON, not as its model classes.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import structlog

from pageviews_core.errors import ConfigurationError
from pageviews_core.records.run import Job
from status_api.scheduler.base import CannotStart, Seen
from status_api.scheduler.objects import Object, cron_job_of, ends_in, found_among, troubles_in

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_COMPONENTS = "app.kubernetes.io/component in (ingestor, transformer)"
_AT_MOST = 500
"""Objects of a kind; a CronJob keeps a handful of Jobs."""
_WITHIN_SECONDS = (3.0, 7.0)
"""To connect, and to answer."""
_KEPT_SECONDS = 24 * 3600
_LABEL = {"pageviews/trigger": "request"}
"""On Jobs made here, so that people can tell them from the CronJobs' own."""

log = structlog.get_logger()


class KubernetesScheduler:
    kind: Literal["watch", "kubernetes"] = "kubernetes"

    def __init__(self, cron_jobs: dict[Job, str], *, namespace: str = "") -> None:
        """Signs in as its pod, or by KUBECONFIG. Raises ConfigurationError where neither is there."""
        from kubernetes import client, config

        settings = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            try:
                config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=settings)
            except (config.ConfigException, OSError) as exc:
                raise ConfigurationError(
                    "PAGEVIEWS_SCHEDULER=kubernetes needs a pod with a ServiceAccount's token, or KUBECONFIG; "
                    f"elsewhere it is `watch` ({exc})"
                ) from exc
        settings.retries = False  # the next look is soon enough
        self._cron_jobs = cron_jobs
        self._namespace = namespace or _own_namespace()
        self._api = client.ApiClient(settings)
        self._api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _tls(settings)
        self._batch, self._core = client.BatchV1Api(self._api), client.CoreV1Api(self._api)

    def look(self, now: datetime) -> Seen:
        blind: list[str] = []
        cron_jobs = {job: self._cron_job(name, blind) for job, name in self._cron_jobs.items()}
        where: dict[str, Any] = {"namespace": self._namespace, "limit": _AT_MOST}
        jobs = self._list("Jobs", blind, self._batch.list_namespaced_job, **where, label_selector=_COMPONENTS)
        pods = self._list("pods", blind, self._core.list_namespaced_pod, **where, label_selector=_COMPONENTS)
        events = self._list("events", blind, self._core.list_namespaced_event, **where, field_selector="type=Warning")
        found = found_among({name: job for job, name in self._cron_jobs.items()}, jobs, pods, events)
        saw_pods = not any(line.startswith("pods ") for line in blind)
        return Seen(
            cron_jobs={
                job: cron_job_of(self._cron_jobs[job], content[0], job, found)
                for job, content in cron_jobs.items()
                if content is not None
            },
            troubles=tuple(troubles_in(found, now)),
            ends=tuple(ends_in(found, now)) if saw_pods else (),
            blind_spots=tuple(dict.fromkeys(blind)),
        )

    def start(self, job: Job, request_id: str) -> str:
        name = self._job_name(job, request_id)
        blind: list[str] = []
        content = self._cron_job(self._cron_jobs[job], blind)
        if content is None:
            raise CannotStart("; ".join(blind))
        if content[0] is None:
            raise CannotStart(f"there is no CronJob {self._cron_jobs[job]}")
        try:
            self._batch.create_namespaced_job(
                self._namespace,
                _job_from(content[0], name, request_id),
                _request_timeout=_WITHIN_SECONDS,
                _preload_content=False,
            )
        except Exception as exc:
            status = getattr(exc, "status", None)
            if status == HTTPStatus.CONFLICT:
                return name  # the other click was as fast
            raise CannotStart(_reason(exc)) from exc
        return name

    def command(self, job: Job, request_id: str) -> str | None:
        cron_job = self._cron_jobs[job]
        return f"kubectl -n {self._namespace} create job --from=cronjob/{cron_job} {self._job_name(job, request_id)}"

    def _job_name(self, job: Job, request_id: str) -> str:
        """At most 63 characters: a CronJob's name has at most 52."""
        return f"{self._cron_jobs[job]}-{request_id[-10:].lower()}"

    def _cron_job(self, name: str, blind: list[str]) -> tuple[Object | None] | None:
        """Its content, None within where there is none of that name; None where it could not be asked."""
        try:
            return (_content(self._batch.read_namespaced_cron_job, name, namespace=self._namespace),)
        except Exception as exc:
            if getattr(exc, "status", None) == HTTPStatus.NOT_FOUND:
                return (None,)
            blind.append(f"CronJob {name} cannot be seen: {_reason(exc)}")
            return None

    def _list(self, what: str, blind: list[str], call: Callable[..., Any], **given: Any) -> list[Object]:
        try:
            found: list[Object] = _content(call, **given)["items"]
        except Exception as exc:
            blind.append(f"{what} cannot be seen: {_reason(exc)}")
            return []
        return found


def _tls(settings: Any) -> ssl.SSLContext:
    """As the client makes it, but for VERIFY_X509_STRICT: since Python 3.13 that is on, and many clusters' authorities
    lack the extensions that it asks for. The chain and the host name are verified all the same."""
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    if not settings.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _content(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    answer = call(*given, **named, _preload_content=False, _request_timeout=_WITHIN_SECONDS)
    return json.loads(answer.data)


def _reason(exc: Exception) -> str:
    """What the API server says; never the whole answer, which repeats the request."""
    try:
        said = json.loads(getattr(exc, "body", "") or "")
        return f"{said['reason']}: {said['message']}"
    except (ValueError, KeyError, TypeError):
        pass
    cause = " ".join(str(getattr(exc, "reason", None) or exc).split())
    return f"the API server does not answer ({cause[:200]})"


def _own_namespace() -> str:
    if _NAMESPACE_FILE.exists():
        return _NAMESPACE_FILE.read_text().strip()
    from kubernetes import config

    _, active = config.list_kube_config_contexts(os.environ.get("KUBECONFIG"))
    return str((active.get("context") or {}).get("namespace") or "default")


def _job_from(cron_job: Object, name: str, request_id: str) -> dict[str, Any]:
    """As the CronJob would make it. Its owner, so that it goes with it, but not its controller: that would prune it."""
    template, metadata = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**labels, **_LABEL},
            "annotations": {"pageviews/request": request_id, "cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"]}
            ],
        },
        "spec": {"ttlSecondsAfterFinished": _KEPT_SECONDS, **template["spec"]},
    }
