"""The published results: what the status page shows of the marts, written as small objects after a build."""

from transformer.published.publish import publish

__all__ = ["publish"]
