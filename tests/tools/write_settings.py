"""Writes docs/settings.md and .env.example from the settings classes, so that they cannot say anything else.

python -m tests.tools.write_settings [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from ingestor.settings import IngestorSettings
from pageviews_core.settings import CoreSettings, JobSettings, environment_name
from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings
from status_api.settings import StatusSettings
from transformer.settings import TransformerSettings

SERVICES: dict[str, type[CoreSettings]] = {
    "ingestor": IngestorSettings,
    "transformer": TransformerSettings,
    "status-api": StatusSettings,
}
_INTRODUCTION = """# Settings

Environment variables, read once at start; none is required, but for PAGEVIEWS_CONTACT when the source is Wikimedia
itself. A bad one ends the program with exit code 78 and its name, what it holds, and what is allowed. Durations are a
number with `s`, `m`, `h` or `d`; sizes a number with a unit such as `1GiB`; hours are `2026-11-20T09`, in UTC, by their
start.

This page is written by `make docs` from the settings classes.
"""


def default_of(field: FieldInfo) -> str:
    """As one would write it in the environment; empty for none."""
    value = field.default
    if value in (None, "", PydanticUndefined):
        return ""
    if hasattr(value, "total_seconds"):
        seconds = int(value.total_seconds())
        return next(
            f"{seconds // length}{unit}" for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
            if seconds % length == 0
        )  # fmt: skip
    if isinstance(value, int) and value >= 1024**2 and value % 1024**2 == 0:
        return f"{value // 1024**3}GiB" if value % 1024**3 == 0 else f"{value // 1024**2}MiB"
    return str(value)


def sections() -> dict[str, list[tuple[str, str, str]]]:
    """For each heading its variables: name, default and description."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    shown: set[str] = set()
    headings: list[tuple[str, type[BaseSettings]]] = [("All services", CoreSettings), ("Both jobs", JobSettings)]
    headings += [(f"The {name}", settings) for name, settings in SERVICES.items()]
    headings.append(("Both jobs, where PAGEVIEWS_WAREHOUSE is snowflake", SnowflakeSettings))
    for heading, settings in headings:
        rows = []
        for name, field in settings.model_fields.items():
            variable = environment_name(settings, name)
            if variable not in shown:
                rows.append((variable, default_of(field), field.description or ""))
                shown.add(variable)
        found[heading] = rows
    return found


def settings_page() -> str:
    text = [_INTRODUCTION]
    for heading, rows in sections().items():
        text.append(f"## {heading}\n\n| variable | default | |\n|---|---|---|")
        text += [f"| `{name}` | {f'`{default}`' if default else ''} | {about} |" for name, default, about in rows]
        text.append("")
    return "\n".join(text)


def example_file() -> str:
    text = ["# Every setting with its default, written by `make docs`. Copy to .env and uncomment what you change."]
    for heading, rows in sections().items():
        text.append(f"\n# {heading}")
        text += [f"# {about}\n#{name}={default}" for name, default, about in rows]
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the files are stale, and change nothing")
    check = parser.parse_args().check
    stale = []
    for path, text in ((Path("docs/settings.md"), settings_page()), (Path(".env.example"), example_file())):
        if not path.exists() or path.read_text() != text:
            stale.append(str(path))
            if not check:
                path.write_text(text)
    if check and stale:
        print(f"Stale: {', '.join(stale)}. Run `make docs` and commit the result.", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
