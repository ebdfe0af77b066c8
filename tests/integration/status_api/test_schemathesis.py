"""What no person would ask: thousands of generated requests, valid and not, as a visitor and as an operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from tests.tools.busy_store import write_busy_store
from tests.tools.status_process import StatusProcess

from status_api.access.tokens import add_entry, new_token

CASES = 10_000
"""At least so many in all."""
_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
_EXAMPLES = 290
"""Of each operation, twice: without a token, and as an operator."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StatusProcess, str]]:
    folder: Path = tmp_path_factory.mktemp("generated")
    write_busy_store(folder / "objects", runs=200, hours=60)
    token, entry = new_token("generator", "operator", None)
    add_entry(folder / "tokens.json", entry)
    with StatusProcess(folder, {"PAGEVIEWS_TOKENS_FILE": str(folder / "tokens.json")}) as service:
        service.wait_until_ready()
        yield service, token


def test_no_generated_request_is_a_server_error(service: tuple[StatusProcess, str]) -> None:
    """Every answer is one that is documented, in its media type and by its schema."""
    process, token = service
    schema = schemathesis.openapi.from_url(f"{process.url}/api/v1/openapi.json")
    done = 0
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        if operation.path.endswith("/logs/live"):
            continue  # a stream: it has tests of its own
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            done += _try(operation, headers)
    assert done >= CASES
    assert "Traceback" not in process.log.read_text()


def _try(operation: Any, headers: dict[str, str]) -> int:
    """How many requests were made."""
    count = 0

    @given(case=operation.as_strategy())
    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: Any) -> None:
        nonlocal count
        count += 1
        case.call_and_validate(headers=headers, checks=_CHECKS)

    ask()
    return count
