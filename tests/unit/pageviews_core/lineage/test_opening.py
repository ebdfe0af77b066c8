from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests import samples

from pageviews_core.errors import ConfigurationError
from pageviews_core.lineage import opened_lineage
from pageviews_core.lineage.base import NoLineage, task_of_run
from pageviews_core.settings import JobSettings

RUN = task_of_run("ingestor", "01JD4Q2Z5V0000000000000001")


def test_nobody_is_told_by_default() -> None:
    with opened_lineage(JobSettings()) as lineage:
        assert isinstance(lineage, NoLineage)
        lineage.start(RUN, samples.AT)
        lineage.complete(RUN, samples.AT)
        lineage.abort(RUN, samples.AT)
        lineage.fail(RUN, samples.AT, "why")


def test_the_clients_are_not_imported_where_nobody_is_told() -> None:
    program = (
        "import sys, ingestor.cli, ingestor.ingest, ingestor.telling, transformer.cli, transformer.build\n"
        "print([name for name in sys.modules if name.startswith(('openlineage', 'opentelemetry.sdk'))])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    "url",
    ["here", "ftp://host", "http://", "https:/host", "file://host/file", "file:///", "kafka://host", "http://[host"],
)
def test_a_receiver_that_no_transport_reaches_is_refused_without_its_address(url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"^OPENLINEAGE_URL is neither http") as refused,
        opened_lineage(JobSettings(lineage_url=url)),
    ):
        pass
    assert "//host" not in str(refused.value).replace("http://host:port", "").replace("https://host", "")


def test_a_file_is_made_with_its_folder_and_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "not yet" / "events.jsonl"
    for _ in range(2):
        with opened_lineage(JobSettings(lineage_url=file.as_uri())) as lineage:
            lineage.start(RUN, samples.AT)
            lineage.complete(RUN, samples.AT)
    assert len(file.read_text().splitlines()) == 4


def test_an_api_key_is_not_in_the_settings_text() -> None:
    assert "k3y" not in repr(JobSettings(lineage_api_key="k3y"))
