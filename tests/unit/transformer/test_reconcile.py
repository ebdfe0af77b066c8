from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests import samples
from tests.fake_clock import FakeClock

from pageviews_core.errors import PageviewsError
from pageviews_core.hour import Hour
from pageviews_core.warehouse.duckdb import DuckDBWarehouse
from pageviews_core.warehouse.duckdb_file import DuckDBFile
from transformer.protocol import BatchHour, BuiltHour
from transformer.reconcile import Facts, reconcile

HOUR = samples.hour()


class Mart:
    """A fact table in a file of its own."""

    def __init__(self, folder: Path) -> None:
        file = DuckDBFile(folder / "w.duckdb", 256 * 1024**2, 1, folder / "temp", timedelta(0), FakeClock())
        self.file = file
        self.warehouse = DuckDBWarehouse(file, schema="WIKIPEDIA", raw_table="RAW")
        self.warehouse.prepare()

    def facts(self, *rows: tuple[Hour, int, int]) -> None:
        """(hour, generation, views) of each row."""
        with self.file.connect() as db:
            db.execute(
                "create table WIKIPEDIA.fct_wikipedia_pageviews "
                "(hour_started_at timestamp, generation integer, view_count bigint)"
            )
            for hour, generation, views in rows:
                db.execute(
                    "insert into WIKIPEDIA.fct_wikipedia_pageviews values (?, ?, ?)",
                    [hour.started_at.replace(tzinfo=None), generation, views],
                )

    def reconcile(self, *hours: BatchHour) -> Facts:
        return reconcile(self.warehouse, "WIKIPEDIA", hours)


@pytest.fixture
def mart(tmp_path: Path) -> Mart:
    return Mart(tmp_path)


def loaded(hour: Hour = HOUR, *, generation: int = 1, rows: int = 2, views: int = 5) -> BatchHour:
    return BatchHour(
        hour=hour, generation=generation, sha256="a", rows=rows, views=views, fence=1, landing="l", raw="r"
    )


def test_an_hour_whose_facts_agree_is_built(mart: Mart) -> None:
    mart.facts((HOUR, 1, 2), (HOUR, 1, 3), (HOUR + 1, 4, 9), (HOUR + 2, 1, 1))
    facts = mart.reconcile(loaded(), loaded(HOUR + 1, generation=4, rows=1, views=9))
    assert facts.built == {"2026-11-20T09": BuiltHour(rows=2, views=5), "2026-11-20T10": BuiltHour(rows=1, views=9)}
    assert facts.failed == {}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "holds nothing"),
        ([(1, 5)], "generation 1: 1 rows, 5 views"),
        ([(1, 2), (1, 4)], "generation 1: 2 rows, 6 views"),
        ([(1, 2), (1, 3), (1, 0)], "generation 1: 3 rows, 5 views"),
        ([(2, 2), (2, 3)], "generation 2: 2 rows, 5 views"),
    ],
)
def test_an_hour_whose_facts_differ_fails_with_what_was_found(
    mart: Mart, rows: list[tuple[int, int]], told: str
) -> None:
    mart.facts(*((HOUR, generation, views) for generation, views in rows))
    facts = mart.reconcile(loaded())
    assert facts.built == {}
    error = facts.failed["2026-11-20T09"]
    assert error.type == "CountsDiffer"
    assert "was loaded with 2 rows and 5 views" in error.message
    assert told in error.message


def test_rows_of_another_generation_left_beside_the_right_ones_are_noticed(mart: Mart) -> None:
    mart.facts((HOUR, 1, 2), (HOUR, 1, 3), (HOUR, 0, 1))
    assert set(mart.reconcile(loaded()).failed) == {"2026-11-20T09"}


def test_one_hour_that_differs_fails_alone(mart: Mart) -> None:
    mart.facts((HOUR, 1, 2), (HOUR, 1, 3))
    facts = mart.reconcile(loaded(), loaded(HOUR + 1))
    assert (set(facts.built), set(facts.failed)) == ({"2026-11-20T09"}, {"2026-11-20T10"})


def test_an_hour_without_rows_has_facts_without_rows(mart: Mart) -> None:
    mart.facts()
    assert mart.reconcile(loaded(rows=0, views=0)).built == {"2026-11-20T09": BuiltHour(rows=0, views=0)}


def test_a_missing_fact_table_is_an_error_and_not_a_difference(mart: Mart) -> None:
    with pytest.raises(PageviewsError, match="fct_wikipedia_pageviews"):
        mart.reconcile(loaded())
