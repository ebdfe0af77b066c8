"""The index's single values."""

from __future__ import annotations

from status_api.view import View


def read_meta(view: View) -> dict[str, str]:
    """By name; what is not known yet is not there."""
    return {
        row["name"]: row["value"] for row in view.index.rows("select name, value from meta") if row["value"] is not None
    }
