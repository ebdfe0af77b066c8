from __future__ import annotations

from typing import Any

import pytest
from tests.unit.status_api.filled import NEWEST, Filled

from status_api.queries.plans import Order, OrderRefused, plan_order


def test_a_backfill_is_of_what_is_missing_unless_it_is_forced(filled: Filled) -> None:
    filled.complete(NEWEST + -3, NEWEST + -2)
    filled.ingest(NEWEST + -1)
    view = filled.view
    order = Order(want="backfill", since=NEWEST + -4, until=NEWEST)
    plan = plan_order(view, order)
    assert ([hour - NEWEST for hour in plan.hours], plan.skipped, plan.kind) == ([-4, -1], 2, "backfill")
    forced = plan_order(view, order.model_copy(update={"force": True}))
    assert (len(forced.hours), forced.skipped) == (4, 0)
    assert forced.digest != plan.digest


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"want": "backfill"}, "`since` <= hour"),
        ({"want": "backfill", "since": NEWEST, "until": NEWEST}, "not after"),
        ({"want": "backfill", "since": NEWEST + -87_600, "until": NEWEST}, "87,600 hours are more"),
        ({"want": "backfill", "since": NEWEST, "until": NEWEST + 2}, "not over yet"),
        ({"want": "backfill", "since": NEWEST + -9, "until": NEWEST}, "before the pipeline's start"),
        ({"want": "reload"}, "`hours` names"),
        ({"want": "retry_failed"}, "no hour has failed"),
        ({"want": "run"}, "no hour is complete"),
        ({"want": "cancel"}, "`of` names"),
        ({"want": "reload", "hours": (NEWEST,), "assets": ("x",)}, "belongs to the want"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(filled: Filled, order: dict[str, Any], told: str) -> None:
    with pytest.raises(OrderRefused, match=told):
        plan_order(filled.view, Order(**order))


def test_nothing_is_missing(filled: Filled) -> None:
    filled.complete(NEWEST)
    with pytest.raises(OrderRefused, match="every hour of the range is there"):
        plan_order(filled.view, Order(want="backfill", hours=(NEWEST,)))


def test_a_run_is_of_the_newest_complete_hour_with_the_models_that_are_named(filled: Filled) -> None:
    filled.complete(NEWEST + -1)
    plan = plan_order(filled.view, Order(want="run", assets=("top_pages_hourly",)))
    assert (plan.kind, plan.hours, plan.models) == ("transform", (NEWEST + -1,), ("top_pages_hourly",))
    with pytest.raises(OrderRefused, match="no such models"):
        plan_order(filled.view, Order(want="run", assets=("../x; drop",)))


def test_a_retry_chooses_by_the_stage_that_failed(filled: Filled) -> None:
    filled.fail(NEWEST + -2)
    plan = plan_order(filled.view, Order(want="retry_failed"))
    assert (plan.kind, plan.hours) == ("backfill", (NEWEST + -2,))
    filled.ingest(NEWEST + -1)
    filled.fail(NEWEST + -1, stage="transformed")
    both = plan_order(filled.view, Order(want="retry_failed"))
    assert (both.kind, both.hours, both.skipped) == ("backfill", (NEWEST + -2,), 1)
    built = plan_order(filled.view, Order(want="retry_failed", hours=(NEWEST + -1,)))
    assert (built.kind, built.hours) == ("transform", (NEWEST + -1,))


def test_the_estimate_is_the_median_of_past_runs(filled: Filled) -> None:
    filled.run(1)
    filled.run(2, "transformer")
    order = Order(want="backfill", hours=(NEWEST, NEWEST + -1), force=True)
    assert plan_order(filled.view, order).estimated_seconds == 80
