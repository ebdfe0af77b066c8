"""The key of a page in the warehouse, computed here: finding one title among tens of millions there takes seconds."""

from __future__ import annotations

import hashlib


def page_key(project: str, title: str) -> int:
    """The lower 64 bits of the MD5 of project, space and title (UTF-8), unsigned, as dbt's `page_key` has it."""
    text = f"{project} {title}".encode()
    return int.from_bytes(hashlib.md5(text, usedforsecurity=False).digest()[8:], "big")
