"""Says what a release would change, and with --write changes it: `python -m tests.tools.release 0.2.0 [--write]`.

The version stands in services/core/pyproject.toml; wherever else it has to be written, it is written from there.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
_VERSION = r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+)"
PLACES: dict[str, str] = {
    "services/core/pyproject.toml": rf'^version = "{_VERSION}"$',
    "services/ingestor/pyproject.toml": rf'^version = "{_VERSION}"$',
    "services/transformer/pyproject.toml": rf'^version = "{_VERSION}"$',
    "services/status-api/pyproject.toml": rf'^version = "{_VERSION}"$',
    "services/transformer/dbt/dbt_project.yml": rf"^version: {_VERSION}$",
    "helm/wikipedia-pageviews/Chart.yaml": rf"^(?:version|appVersion): {_VERSION}$",
    "docker-compose.yml": rf"\$\{{PAGEVIEWS_VERSION:-{_VERSION}\}}",
    "docs/kubernetes.md": rf"pageviews-ingestor:{_VERSION}",
    "docs/kubernetes/keeper.yaml": rf"pageviews-ingestor:{_VERSION}",
}
CHANGELOG = "CHANGELOG.md"
_UNRELEASED = "## Unreleased\n"


class Refused(Exception):
    """Says why there can be no such release."""


def versions(root: Path = ROOT) -> dict[str, set[str]]:
    """All that is written, by file."""
    return {
        path: {match["version"] for match in re.finditer(pattern, (root / path).read_text(), re.MULTILINE)}
        for path, pattern in PLACES.items()
    }


def release(following: str, today: str, root: Path = ROOT) -> dict[str, str]:
    """The new text of each file that changes. Raises Refused."""
    [current] = versions(root)["services/core/pyproject.toml"]
    if not re.fullmatch(_VERSION, following):
        raise Refused(f"{following!r} is no semantic version, such as 1.2.3")
    if _order(following) <= _order(current):
        raise Refused(f"{following} does not come after {current}")
    changelog = (root / CHANGELOG).read_text()
    _, _, after = changelog.partition(_UNRELEASED)
    if not after.partition("\n## ")[0].strip():
        raise Refused(f"{CHANGELOG} says nothing under Unreleased: what is it that is released?")
    texts = {CHANGELOG: changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## {following} ({today})\n", 1)}
    for path, pattern in PLACES.items():
        texts[path] = re.sub(
            pattern,
            lambda match: match[0].replace(match["version"], following),
            (root / path).read_text(),
            flags=re.MULTILINE,
        )
    return texts


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    try:
        texts = release(asked.version, f"{datetime.now(UTC):%Y-%m-%d}")
    except Refused as exc:
        sys.exit(str(exc))
    for path, text in texts.items():
        before = (ROOT / path).read_text()
        print(*difflib.unified_diff(before.splitlines(), text.splitlines(), path, path, lineterm="", n=0), sep="\n")
        if asked.write:
            (ROOT / path).write_text(text)
    then = f"make k8s docs check; git commit -am 'Release {asked.version}'; git tag v{asked.version}"
    print(f"\n{'Written' if asked.write else 'Nothing was written (WRITE=1 does)'}. Then: {then}")


if __name__ == "__main__":
    main()
