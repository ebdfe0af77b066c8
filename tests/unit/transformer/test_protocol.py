from __future__ import annotations

import json

import pytest
from pydantic import ValidationError
from tests import samples

from pageviews_core.records.marker import NodeResult
from transformer.protocol import Batch, BatchError, BatchHour, BatchResult, BuiltHour

HOUR = BatchHour(hour=samples.hour(), generation=2, sha256="a", rows=3, views=4, fence=5, landing="l", raw="r")
BATCH = Batch(run_id="01", hours=(HOUR,), models=("fct_wikipedia_pageviews+",), publish=True)
RESULT = BatchResult(
    built={"2026-11-20T09": BuiltHour(rows=3, views=4)},
    superseded={"2026-11-20T08": "generation 2"},
    failed={"2026-11-20T07": BatchError(type="CountsDiffer", message="3 and 4")},
    error=BatchError(type="TransformFailed", message="no"),
    invocation_id="i",
    nodes=(NodeResult(name="fct", resource_type="model", status="success", seconds=1.5),),
    warnings=("test",),
    published=True,
)


@pytest.mark.parametrize("message", [BATCH, RESULT, BatchResult()], ids=["batch", "result", "empty result"])
def test_a_message_arrives_as_it_was_sent(message: Batch | BatchResult) -> None:
    assert type(message).model_validate_json(message.model_dump_json()) == message


def test_an_hour_is_sent_by_its_text() -> None:
    assert json.loads(BATCH.model_dump_json())["hours"][0]["hour"] == "2026-11-20T09"


def test_a_field_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError):
        BatchResult.model_validate_json('{"novel": 1}')
