"""Which grants each job's role needs on Snowflake, which of them it has, and the statements that give the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pageviews_core.records.run import Job

_BY_JOB: Mapping[Job, tuple[tuple[str, str, str], ...]] = {
    "ingestor": (),
    "transformer": (("CREATE TABLE", "SCHEMA", "schema"), ("CREATE VIEW", "SCHEMA", "schema")),
}
_BOTH = (
    ("USAGE", "WAREHOUSE", "warehouse"),
    ("USAGE", "DATABASE", "database"),
    ("USAGE", "SCHEMA", "schema"),
    *((privilege, "TABLE", "raw") for privilege in ("SELECT", "INSERT", "DELETE")),
    *((privilege, "TABLE", "ledger") for privilege in ("SELECT", "INSERT")),
    *((privilege, "TABLE", "fence") for privilege in ("SELECT", "INSERT", "UPDATE")),
)
"""The transformer restores raw rows that were retired: hence the same rights on them."""


@dataclass(frozen=True, slots=True)
class Grant:
    privilege: str
    kind: str
    """WAREHOUSE, DATABASE, SCHEMA, TABLE or STAGE."""
    name: str
    """Qualified."""

    def statement(self, role: str) -> str:
        return f"grant {self.privilege.lower()} on {self.kind.lower()} {self.name} to role {role};"


def needed(job: Job, names: Mapping[str, str], *, external_stage: bool) -> list[Grant]:
    """`names` of warehouse, database, schema, raw, ledger, fence and stage."""
    stage = (
        (("USAGE", "STAGE", "external"),)
        if external_stage
        else (("READ", "STAGE", "stage"), ("WRITE", "STAGE", "stage"))
    )
    return [Grant(privilege, kind, names[what].upper()) for privilege, kind, what in (*_BOTH, *stage, *_BY_JOB[job])]


def missing(wanted: Iterable[Grant], rows: Iterable[Mapping[str, Any]]) -> list[Grant]:
    """`rows` of SHOW GRANTS TO ROLE, of the role and of those granted to it. Who owns an object may do all with it."""
    held = {
        (str(row["privilege"]).upper(), str(row["granted_on"]).upper(), str(row["name"]).replace('"', "").upper())
        for row in rows
    }
    return [
        grant
        for grant in wanted
        if not {(grant.privilege, grant.kind, grant.name), ("OWNERSHIP", grant.kind, grant.name)} & held
    ]
