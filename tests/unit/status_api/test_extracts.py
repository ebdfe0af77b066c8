from __future__ import annotations

import threading

import pytest

from status_api.extracts import Extracts


def test_it_is_made_once_and_the_least_used_goes() -> None:
    extracts, made = Extracts(), []

    def ask(key: str, kind: str = "letters") -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return extracts.get(kind, key, make, at_most=2)

    assert [ask("a"), ask("b"), ask("a"), ask("c")] == ["A", "B", "A", "C"]
    assert ask("a", kind="others") == "A"
    made.clear()
    assert [ask("a"), ask("c"), ask("b")] == ["A", "C", "B"]
    assert made == ["b"]


def test_none_is_kept_and_an_error_is_not() -> None:
    extracts, asked = Extracts(), []

    def nothing() -> None:
        asked.append("nothing")

    def fail() -> None:
        raise ZeroDivisionError

    extracts.get("kind", "none", nothing, at_most=1)
    extracts.get("kind", "none", nothing, at_most=1)
    assert asked == ["nothing"]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            extracts.get("kind", "bad", fail, at_most=1)


def test_many_that_ask_at_once_have_it_made_once() -> None:
    extracts, made, together = Extracts(), [], threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return 7

    def ask() -> None:
        together.wait(10)
        assert extracts.get("kind", "key", make, at_most=1) == 7

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
