"""The scheduler that the settings name."""

from __future__ import annotations

from status_api.scheduler.base import Scheduler, WatchScheduler
from status_api.settings import StatusSettings


def open_scheduler(settings: StatusSettings) -> Scheduler:
    """Raises ConfigurationError."""
    if settings.scheduler == "watch":
        return WatchScheduler()
    from status_api.scheduler.kubernetes import KubernetesScheduler

    return KubernetesScheduler(
        {"ingestor": settings.ingestor_cronjob, "transformer": settings.transformer_cronjob},
        namespace=settings.kubernetes_namespace,
    )
