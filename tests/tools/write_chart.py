"""Writes what in the chart follows from elsewhere: the settings that each service reads (files/settings.json and the
schema), and the chart's README from its values' comments.

python -m tests.tools.write_chart [--check]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from pageviews_core.settings import environment_name
from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings
from tests.tools.write_settings import SERVICES, default_of

CHART = Path("helm/wikipedia-pageviews")
SECRETS = re.compile("SECRET|PASSWORD|PASSPHRASE|_TOKEN$|PRIVATE_KEY$|SESSION_KEY$|ONE_TIME_SIGN_IN|WEBHOOK_URL")
BY_THE_CHART = {
    "LOCAL_DATA_DIR", "PAGEVIEWS_SCRATCH_DIR", "PAGEVIEWS_DUCKDB_PATH", "PAGEVIEWS_DBT_MANIFEST",
    "PAGEVIEWS_DBT_PROJECT",
    "PAGEVIEWS_STORE_URL", "PAGEVIEWS_S3_ENDPOINT_URL", "PAGEVIEWS_S3_REGION", "PAGEVIEWS_S3_PATH_STYLE",
    "PAGEVIEWS_S3_KMS_KEY_ID", "PAGEVIEWS_WAREHOUSE", "PAGEVIEWS_CRON", "PAGEVIEWS_INGESTOR_CRON",
    "PAGEVIEWS_TRANSFORMER_CRON", "PAGEVIEWS_HOST", "PAGEVIEWS_PORT", "PAGEVIEWS_ALLOWED_HOSTS",
    "PAGEVIEWS_TOKENS_FILE",
    "PAGEVIEWS_SESSION_KEY_FILE", "PAGEVIEWS_SCHEDULER", "PAGEVIEWS_KUBERNETES_NAMESPACE", "PAGEVIEWS_INGESTOR_CRONJOB",
    "PAGEVIEWS_TRANSFORMER_CRONJOB", "PAGEVIEWS_NUDGE", "SNOWFLAKE_PRIVATE_KEY_FILE", "SNOWFLAKE_TOKEN_FILE",
}  # fmt: skip
"""Other values set these."""
_DEFINITIONS = {"ingestor": "ingestorSettings", "transformer": "transformerSettings", "status-api": "statusApiSettings"}


def settings_of(service: str) -> dict[str, str]:
    """Every variable that the service reads, with what the settings page says of it."""
    classes: list[type[BaseSettings]] = [SERVICES[service]]
    if service != "status-api":
        classes.append(SnowflakeSettings)
    return {
        environment_name(settings, name): f"{field.description} ({default_of(field) or 'not set'})"
        for settings in classes
        for name, field in settings.model_fields.items()
    }


def settings_file() -> str:
    found = {}
    for service in SERVICES:
        known = settings_of(service)
        secret = sorted(name for name in known if SECRETS.search(name))
        found[service] = {"settings": sorted(known.keys() - BY_THE_CHART - set(secret)), "secrets": secret}
    return json.dumps(found, indent=2) + "\n"


def schema(before: str) -> str:
    """The schema as it stands, with its definitions of the settings written anew."""
    content: dict[str, Any] = json.loads(before)
    known = json.loads(settings_file())
    allowed = {
        _DEFINITIONS[service]: {name: settings_of(service)[name] for name in names["settings"]}
        for service, names in known.items()
    }
    allowed["allSettings"] = {name: about for each in list(allowed.values()) for name, about in each.items()}
    content["$defs"] = {
        definition: {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"type": ["string", "number", "boolean"], "description": names[name]} for name in sorted(names)
            },
        }
        for definition, names in sorted(allowed.items())
    }
    return json.dumps(content, indent=2) + "\n"


def described_values(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, default and comment of each value that has a comment beginning with `# --`."""
    values = yaml.safe_load(text)
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        found = re.match(r"( *)(\"?[A-Za-z]+\"?):", line)
        if line.lstrip().startswith("# --"):
            comment = [line.lstrip()[4:].strip()]
        elif line.lstrip().startswith("#") and comment:
            comment.append(line.lstrip()[1:].strip())
        elif found:
            depth = len(found[1])
            path = [step for step in path if step[0] < depth] + [(depth, found[2].strip('"'))]
            if comment:
                keys = [step[1] for step in path]
                value: Any = values
                for key in keys:
                    value = value[key]
                yield ".".join(keys), json.dumps(value), " ".join(comment)
            comment = []


def readme(template: str, values: str) -> str:
    rows = "\n".join(
        f"| `{path}` | `{default}` | {about.replace('|', chr(92) + '|')} |"
        for path, default, about in described_values(values)
    )
    table = f"| value | default | |\n|---|---|---|\n{rows}"
    note = "<!-- Written by `make docs` from README.md.gotmpl and the comments in values.yaml. -->"
    return f"{note}\n{template.replace('{{ values }}', table)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the files are stale, and change nothing")
    check = parser.parse_args().check
    written = {
        CHART / "files/settings.json": settings_file(),
        CHART / "values.schema.json": schema((CHART / "values.schema.json").read_text()),
        CHART / "README.md": readme((CHART / "README.md.gotmpl").read_text(), (CHART / "values.yaml").read_text()),
    }
    stale = [path for path, text in written.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if not check:
            path.write_text(written[path])
    if check and stale:
        print(f"Stale: {', '.join(map(str, stale))}. Run `make docs` and commit the result.", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
