import pytest
from tests.tools.dumps_layout import hour_of_pageviews, month_folder, pageviews_path, projectviews_path

from pageviews_core.hour import Hour


def test_names_carry_the_end_of_the_hour() -> None:
    hour = Hour.parse("2018-02-19T09")
    assert pageviews_path(hour) == "2018/2018-02/pageviews-20180219-100000.gz"
    assert projectviews_path(hour) == "2018/2018-02/projectviews-20180219-100000"


def test_the_last_hour_of_a_year_lies_in_the_next_years_folder() -> None:
    hour = Hour.parse("2025-12-31T23")
    assert month_folder(hour) == "2026/2026-01"
    assert pageviews_path(hour) == "2026/2026-01/pageviews-20260101-000000.gz"


def test_a_name_leads_back_to_its_hour() -> None:
    hour = Hour.parse("2026-11-20T23")
    assert hour_of_pageviews(pageviews_path(hour)) == hour
    assert hour_of_pageviews("pageviews-20261121-000000.gz") == hour


@pytest.mark.parametrize(
    "name", ["projectviews-20261121-000000", "pageviews-20261121-003000.gz", "pageviews-20261321-000000.gz"]
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, a date that is none is strptime's to word
        hour_of_pageviews(name)
