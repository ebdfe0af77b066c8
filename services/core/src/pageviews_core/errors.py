"""The errors of the pipeline, and the exit code that each ends a process with.

PageviewsError                70  a bug, unless a subclass says otherwise
├── ConfigurationError        78  a person must change something
│   └── UnknownSchemaVersion  78  an object or table written by a newer version: refused, never overwritten
├── TemporaryError            75  the platform may try again
│   ├── SourceUnavailable         the dumps server cannot be reached, or asks to wait
│   ├── StoreUnavailable          the object store cannot be reached, or its disk is full
│   └── WarehouseUnavailable      the warehouse cannot be reached, or another process holds it
├── HourError                 75  one hour's work failed; other hours go on
│   ├── SourceCorrupt             what the source served is not the hour's file
│   ├── TooManyRejects            more lines were rejected than the setting allows
│   ├── CountsDiffer              a stage holds other rows or views than the one before it
│   ├── InputGone                 raw rows, landing and raw object are all gone
│   └── TransformFailed           dbt failed for this hour
├── LeaseLost                 75  another process took over: this one may write no more
└── Stopped                  143  SIGTERM came with work left
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """sysexits.h's numbers; Kubernetes' podFailurePolicy tells them apart."""

    DONE = 0
    USAGE = 64
    BUG = 70
    TEMPORARY = 75
    CONFIGURATION = 78
    STOPPED = 143


class PageviewsError(Exception):
    """Its text says what failed, where, and what to do."""

    exit_code = ExitCode.BUG


class ConfigurationError(PageviewsError):
    exit_code = ExitCode.CONFIGURATION


class UnknownSchemaVersion(ConfigurationError):
    pass


class TemporaryError(PageviewsError):
    exit_code = ExitCode.TEMPORARY


class SourceUnavailable(TemporaryError):
    pass


class StoreUnavailable(TemporaryError):
    pass


class WarehouseUnavailable(TemporaryError):
    pass


class HourError(PageviewsError):
    exit_code = ExitCode.TEMPORARY
    evidence: str | None = None
    """The key of the object that shows the fault, once it is kept."""


class SourceCorrupt(HourError):
    pass


class TooManyRejects(HourError):
    pass


class CountsDiffer(HourError):
    pass


class InputGone(HourError):
    pass


class TransformFailed(HourError):
    pass


class LeaseLost(PageviewsError):
    exit_code = ExitCode.TEMPORARY


class Stopped(PageviewsError):
    exit_code = ExitCode.STOPPED
