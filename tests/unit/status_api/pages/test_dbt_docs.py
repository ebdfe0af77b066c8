from __future__ import annotations

import gzip

from tests.unit.status_api.filled import Filled, serving

from pageviews_core import keys

PAGE = b"<html>the project</html>"


def test_before_the_first_build_there_is_none(filled: Filled) -> None:
    with serving(filled) as client:
        assert client.get("/docs/dbt", accept="text/html").status_code == 404


def test_the_kept_page_is_served_once(filled: Filled) -> None:
    filled.store.put(keys.dbt_docs("one"), gzip.compress(PAGE))
    with serving(filled) as client:
        answer = client.get("/docs/dbt")
        assert (answer.status_code, answer.content) == (200, PAGE)
        again = client.get("/docs/dbt", if_none_match=answer.headers["etag"])
        assert again.status_code == 304


def test_one_that_is_replaced_while_it_is_asked_for_is_no_servers_error(filled: Filled) -> None:
    filled.store.put(keys.dbt_docs("one"), gzip.compress(PAGE))
    with serving(filled) as client:

        def replace(verb: str, key: str) -> None:
            if verb == "get" and key == keys.dbt_docs("one"):
                filled.store.before = lambda *_: None
                filled.store.delete(key)

        filled.store.before = replace
        answer = client.get("/docs/dbt")
    assert answer.status_code == 404
    assert "ask again" in answer.text
