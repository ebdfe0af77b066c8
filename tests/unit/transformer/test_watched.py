from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageviews_core.errors import ConfigurationError
from transformer.watched import WATCHED_AT_MOST, Article, watched_articles

TITLES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\r\n"), min_size=1)


def test_articles_stand_between_white_space_each_once() -> None:
    setting = "  en.wikipedia/Earth\n\tde.wikipedia/Erde en.wikipedia/Earth "
    assert watched_articles(setting) == (Article("en.wikipedia", "Earth"), Article("de.wikipedia", "Erde"))
    assert watched_articles("") == ()


@given(TITLES)
def test_any_title_is_taken_as_it_is(title: str) -> None:
    assert watched_articles(f"en.wikipedia/{title}") == (Article("en.wikipedia", title),)


def test_a_title_may_hold_slashes_and_no_break_spaces() -> None:
    assert watched_articles("en.wikipedia/AC/DC fr.wikipedia/Qui\u00a0?") == (
        Article("en.wikipedia", "AC/DC"),
        Article("fr.wikipedia", "Qui\u00a0?"),
    )


@pytest.mark.parametrize("bad", ["Earth", "/Earth", "en.wikipedia/"])
def test_what_is_no_article_is_named_with_its_setting(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="PAGEVIEWS_WATCH") as caught:
        watched_articles(f"en.wikipedia/Earth {bad}")
    assert repr(bad) in str(caught.value)


def test_more_articles_than_can_be_followed_are_refused() -> None:
    articles = [f"en.wikipedia/Page_{number}" for number in range(WATCHED_AT_MOST + 1)]
    assert len(watched_articles(" ".join(articles[1:]))) == WATCHED_AT_MOST
    with pytest.raises(ConfigurationError, match=f"{WATCHED_AT_MOST + 1} articles"):
        watched_articles(" ".join(articles))
