from __future__ import annotations

from tests.unit.transformer.housekeeping.house import NEWEST, House

from pageviews_core.watermark import Watermark
from transformer.housekeeping.audit import audit
from transformer.housekeeping.work import Work


def _watermark(house: House) -> str:
    settled, _ = Watermark(house.journal).read()
    assert settled is not None
    return str(settled.before)


def test_an_owed_hour_below_the_watermark_lowers_it(house: House, work: Work) -> None:
    house.complete(NEWEST + -10, NEWEST)
    house.ingest(NEWEST + -7, 2)
    house.ingest(NEWEST + -4, 3)
    house.settle(before=NEWEST)
    audit(work)
    assert _watermark(house) == str(NEWEST + -7)
    assert work.counts == {"hours": 10, "hidden_hours": 2}


def test_owed_hours_above_the_watermark_are_the_ticks_own_business(house: House, work: Work) -> None:
    house.complete(NEWEST + -10, NEWEST)
    house.ingest(NEWEST)
    house.settle(before=NEWEST)
    before = house.memory.all_keys()
    audit(work)
    assert house.memory.all_keys() == before
    assert work.counts == {"hours": 11}


def test_there_need_not_be_a_watermark_yet(house: House, work: Work) -> None:
    house.ingest(NEWEST)
    audit(work)
    assert Watermark(house.journal).read() == (None, None)
