import pytest

from pageviews_core.errors import ConfigurationError
from pageviews_core.settings import read_settings
from transformer.settings import TransformerSettings


@pytest.mark.parametrize("watch", ["Earth", "en.wikipedia/", "/Earth"])
def test_an_article_without_project_or_title_is_named_at_start(watch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEVIEWS_WATCH", watch)
    with pytest.raises(ConfigurationError, match=f"PAGEVIEWS_WATCH.*{watch}.*en.wikipedia/Earth"):
        read_settings(TransformerSettings)


def test_the_project_that_comes_with_the_program_is_the_default() -> None:
    assert (TransformerSettings().dbt_project_folder() / "dbt_project.yml").exists()
