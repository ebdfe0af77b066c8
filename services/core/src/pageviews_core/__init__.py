"""What the services share: the hour, the records in object storage, and the ports with their adapters."""

from importlib.metadata import version

__version__ = version("pageviews-core")
