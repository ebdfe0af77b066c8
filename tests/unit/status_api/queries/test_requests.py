from __future__ import annotations

import threading

import pytest
from tests.unit.status_api.filled import NEWEST, OPERATOR, Filled, run_id

from pageviews_core import keys
from pageviews_core.errors import StoreUnavailable
from pageviews_core.records.request import Progress
from pageviews_core.requests import Requests
from status_api.queries.answers import NotFound
from status_api.queries.notes import list_audit
from status_api.queries.plans import Order, OrderRefused, plan_order
from status_api.queries.requests import KeyReused, PlanChanged, list_requests, read_request, submit


def open_keys(filled: Filled) -> list[str]:
    return [info.key for info in filled.store.list(keys.OPEN_REQUESTS)]


def test_a_request_is_audited_and_then_written(filled: Filled) -> None:
    made = submit(filled.view, Order(want="reload", hours=(NEWEST,), why="because"), OPERATOR)
    (request,) = Requests(filled.journal).open()
    assert (request.id, request.kind, request.force, request.who) == (made.id, "backfill", True, "olga")
    assert [(entry.action, entry.target) for entry in list_audit(filled.view).items] == [("request.create", made.id)]
    assert [item.id for item in list_requests(filled.view).items] == [made.id]


def test_a_stale_plan_is_refused_with_the_new_one(filled: Filled) -> None:
    order = Order(want="backfill", since=NEWEST + -1, until=NEWEST + 1)
    plan = plan_order(filled.view, order)
    filled.complete(NEWEST)
    with pytest.raises(PlanChanged) as raised:
        submit(filled.view, order.model_copy(update={"plan": plan.digest}), OPERATOR)
    assert raised.value.plan.hours == (NEWEST + -1,)
    assert open_keys(filled) == []


def test_the_same_key_is_one_request_and_another_body_is_refused(filled: Filled) -> None:
    order = Order(want="reload", hours=(NEWEST,))
    first = submit(filled.view, order, OPERATOR, idempotency_key="k")
    assert submit(filled.view, order, OPERATOR, idempotency_key="k") == first
    assert len(open_keys(filled)) == 1
    with pytest.raises(KeyReused):
        submit(filled.view, order.model_copy(update={"why": "other"}), OPERATOR, idempotency_key="k")
    assert submit(filled.view, order, OPERATOR, idempotency_key="l") != first


def test_a_call_that_died_before_its_request_is_carried_out_by_the_next(filled: Filled) -> None:
    view, order = filled.view, Order(want="reload", hours=(NEWEST,))

    def die(verb: str, key: str) -> None:
        if verb == "create" and key.startswith(keys.OPEN_REQUESTS):
            raise StoreUnavailable("gone")

    before, filled.store.before = filled.store.before, die
    with pytest.raises(StoreUnavailable):
        submit(view, order, OPERATOR, idempotency_key="k")
    filled.store.before = before
    made = submit(view, order, OPERATOR, idempotency_key="k")
    assert open_keys(filled) == [keys.open_request(made.id)]


def test_of_two_clicks_at_once_one_request_comes(filled: Filled) -> None:
    view, order = filled.view, Order(want="reload", hours=(NEWEST,))
    made: list[str] = []

    def click() -> None:
        made.append(submit(view, order, OPERATOR, idempotency_key="k").id)

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == len(open_keys(filled)) == 1


def test_progress_of_a_backfill_is_what_is_known_of_its_hours(filled: Filled) -> None:
    made = submit(filled.view, Order(want="backfill", since=NEWEST + -2, until=NEWEST + 1), OPERATOR)
    filled.complete(NEWEST)
    filled.ingest(NEWEST + -1)
    detail = read_request(filled.view, made.id)
    assert [hour.state for hour in detail.hours] == ["waiting", "loaded", "done"]
    assert (detail.done, detail.failed, detail.may_be_cancelled) == (1, 0, True)


def test_progress_of_a_forced_request_is_what_the_jobs_noted(filled: Filled) -> None:
    filled.complete(NEWEST, NEWEST + -1, NEWEST + -2)
    hours = (NEWEST + -2, NEWEST + -1, NEWEST)
    made = submit(filled.view, Order(want="reload", hours=hours), OPERATOR)
    requests = Requests(filled.journal)
    for hour, job, outcome in ((hours[0], "transformer", "done"), (hours[1], "ingestor", "failed")):
        requests.add_progress(
            Progress(
                request=made.id,
                job=job,
                hour=hour,
                outcome=outcome,
                run_id=run_id(1),
                at=filled.clock.now(),
            )
        )
    assert [hour.state for hour in read_request(filled.view, made.id).hours] == ["done", "failed", "waiting"]


def test_a_request_is_cancelled_once(filled: Filled) -> None:
    made = submit(filled.view, Order(want="reload", hours=(NEWEST,)), OPERATOR)
    cancel = submit(filled.view, Order(want="cancel", of=made.id), OPERATOR)
    assert cancel.cancels == made.id
    Requests(filled.journal).take(filled.clock.now())
    detail = read_request(filled.view, made.id)
    assert (detail.summary.state, detail.may_be_cancelled) == ("cancelled", False)
    assert [hour.state for hour in detail.hours] == ["waiting"]
    with pytest.raises(OrderRefused, match="is over"):
        submit(filled.view, Order(want="cancel", of=made.id), OPERATOR)


@pytest.mark.parametrize("request_id", ["x", "01JD4Q2Z5V0000000000000009", "../../etc"])
def test_an_unknown_request_is_not_found(filled: Filled, request_id: str) -> None:
    with pytest.raises(NotFound):
        read_request(filled.view, request_id)
