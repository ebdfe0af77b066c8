"""What every record has: a schema version, and a strict way in and out of JSON."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from pageviews_core.errors import UnknownSchemaVersion


def _in_utc(at: AwareDatetime) -> AwareDatetime:
    if at.utcoffset():
        raise ValueError("times in records are in UTC")
    return at


Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware time in UTC."""


class Part(BaseModel):
    """A piece of a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(Part):
    """One JSON object under one key. A changed meaning or a new field is a new `version`."""

    version_supported: ClassVar[int] = 1
    schema_version: int = 1

    def encode(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def decode(cls, data: bytes, key: str) -> Self:
        """Raises UnknownSchemaVersion for anything that this version of the program did not write."""
        try:
            content = from_json(data)
            found = content.get("schema_version") if isinstance(content, dict) else None
            if found == cls.version_supported:
                return cls.model_validate_json(data)
        except (ValueError, ValidationError) as exc:
            raise UnknownSchemaVersion(f"{key} is not a {cls.__name__} of this version: {_first_line(exc)}") from exc
        raise UnknownSchemaVersion(
            f"{key} has schema_version {found!r}, this program knows {cls.version_supported}: "
            "run the version that wrote it, or a newer one. Nothing was changed."
        )


def _first_line(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300]
