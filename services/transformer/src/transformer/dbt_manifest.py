"""The dbt project parsed once: a parse takes a second of every build otherwise, and longer whenever vars change."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import structlog
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from pageviews_core.errors import ConfigurationError
from transformer.dbt_environment import dbt_environment
from transformer.settings import TransformerSettings

log = structlog.get_logger()

_FILE = "partial_parse.msgpack"


def prepared_manifest(settings: TransformerSettings) -> Manifest:
    """Reads the manifest, or makes it once in the scratch folder. dbt's environment must be set already.

    The names of database, schema and raw table, and the engine's types, are in a manifest: one that was prepared for
    others is left aside. Raises ConfigurationError where the project does not parse.
    """
    if settings.dbt_manifest:
        manifest = Manifest.from_msgpack(settings.dbt_manifest.read_bytes())
        if _fits(manifest, settings):
            return manifest
        log.warning("dbt_manifest_of_another_warehouse", manifest=str(settings.dbt_manifest))
    project = settings.dbt_project_folder()
    path = settings.scratch_folder() / "dbt" / _digest(project, settings) / _FILE
    if not path.exists():
        _parse(project, path.parent)
    return Manifest.from_msgpack(path.read_bytes())


def _fits(manifest: Manifest, settings: TransformerSettings) -> bool:
    raw = next(source for source in manifest.sources.values() if source.name == "raw_pageviews")
    found = [manifest.metadata.adapter_type, raw.schema, raw.identifier]
    wanted = [settings.warehouse, settings.warehouse_schema, settings.raw_table]
    if settings.warehouse == "snowflake":
        found.append(raw.database)
        wanted.append(os.environ["SNOWFLAKE_DATABASE"])
    return [str(name).lower() for name in found] == [name.lower() for name in wanted]


def prepare_manifest(settings: TransformerSettings, folder: Path) -> Path:
    """Parses the project into `folder` and returns the manifest's file. Raises ConfigurationError."""
    os.environ.update(dbt_environment(settings, engine_memory=settings.memory_limit))
    _parse(settings.dbt_project_folder(), folder)
    return folder / _FILE


def _parse(project: Path, target: Path) -> None:
    """Leaves the manifest in `target`, whole or not at all."""
    making = target.with_name(f"{target.name}.{os.getpid()}")
    outcome = dbtRunner().invoke(
        [
            "parse",
            "--project-dir", str(project),
            "--profiles-dir", str(project),
            "--target-path", str(making),
            "--log-path", str(making),
            "--log-level", "none",
            "--log-level-file", "none",
        ]
    )  # fmt: skip
    if outcome.exception is not None or not outcome.success:
        raise ConfigurationError(f"the dbt project {project} does not parse: {outcome.exception}")
    target.mkdir(parents=True, exist_ok=True)
    (making / _FILE).replace(target / _FILE)
    log.info("dbt_project_parsed", project=str(project))


def _digest(project: Path, settings: TransformerSettings) -> str:
    """Of all that the manifest depends on."""
    digest = hashlib.sha256()
    engine = (f"dbt-{settings.warehouse}", os.environ.get("SNOWFLAKE_DATABASE", ""))
    for text in (version("dbt-core"), version(engine[0]), *engine, settings.warehouse_schema, settings.raw_table):
        digest.update(text.encode() + b"\0")
    for file in sorted(project.rglob("*")):
        if file.is_file() and not {"target", "logs"} & set(file.relative_to(project).parts):
            digest.update(str(file.relative_to(project)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
