from __future__ import annotations

from datetime import UTC, datetime

import pytest

from status_api.pages.filters import NOTHING, article_path, change, number, percent, seconds, size, title, utc


@pytest.mark.parametrize(
    ("value", "text"), [(None, NOTHING), (0, "0"), (6_777_476, "6,777,476"), (1.5, "1.5"), (2.0, "2")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, NOTHING), (999, "999 B"), (1_500, "1.5 kB"), (57_000_000, "57.0 MB"), (2e11, "200 GB")]
)
def test_sizes(value: float | None, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, NOTHING), (0.44, "0.4 s"), (12.0, "12 s"), (4320, "1 h 12 min")])
def test_seconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_times_are_elements_in_utc() -> None:
    at = datetime(2026, 11, 20, 9, 4, tzinfo=UTC)
    assert utc(at) == '<time datetime="2026-11-20T09:04:00Z">20 Nov 09:04 UTC</time>'
    assert utc(None) == NOTHING


def test_a_title_is_isolated_escaped_and_has_spaces() -> None:
    assert title('A_<b>_"ב"') == "<bdi>A &lt;b&gt; &#34;ב&#34;</bdi>"


def test_an_articles_address_takes_any_title() -> None:
    assert article_path("en.wikipedia", "AC/DC?#%") == "/articles/en.wikipedia/AC/DC%3F%23%25"


def test_percent() -> None:
    assert (percent(0.367), percent(None)) == ("36.7 %", NOTHING)


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        (1_204, None, "1,204"),
        (1_204, 1_192, '1,204 <span class="muted">(+12)</span>'),
        (1_192, 2_204, '1,192 <span class="muted">(\N{MINUS SIGN}1,012)</span>'),
        (7, 7, '7 <span class="muted">(\N{PLUS-MINUS SIGN}0)</span>'),
    ],
)
def test_a_figure_beside_what_it_was(value: int, before: int | None, text: str) -> None:
    assert change(value, before) == text
