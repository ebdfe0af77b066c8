"""Lineage: what each run read and wrote, told to a receiver that speaks OpenLineage. Off by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pageviews_core.errors import ConfigurationError
from pageviews_core.lineage.base import Lineage, NoLineage
from pageviews_core.settings import JobSettings


@contextmanager
def opened_lineage(settings: JobSettings) -> Iterator[Lineage]:
    """What tells the receiver that the settings name; on leaving, it gets a bounded time to take what is left.

    Raises ConfigurationError for a URL that no transport serves.
    """
    if not settings.lineage_url:
        yield NoLineage()
        return
    if not _reachable(settings.lineage_url):
        raise ConfigurationError(
            "OPENLINEAGE_URL is neither http://host:port, https://host, file:///absolute/file.jsonl, nor console:"
        )
    from pageviews_core.lineage.openlineage import OpenLineage  # only where it is on

    lineage = OpenLineage(settings.lineage_url, settings.lineage_api_key, namespace=settings.lineage_namespace)
    try:
        yield lineage
    finally:
        lineage.close()


def _reachable(url: str) -> bool:
    """By one of the transports, as far as the text says."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return bool(parts.hostname)
    if parts.scheme == "file":
        return not parts.netloc and bool(parts.path.strip("/"))
    return parts.scheme == "console"
