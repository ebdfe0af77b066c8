from __future__ import annotations

import random
from graphlib import CycleError

import pytest

from status_api.queries.layers import Place, lay_out

_DIAMOND = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}


def test_nothing_has_no_places() -> None:
    assert lay_out({}) == {}


def test_a_node_stands_one_layer_after_the_last_that_it_is_made_from() -> None:
    places = lay_out({"source": [], "staging": ["source"], "mart": ["staging", "seed"], "seed": [], "view": ["source"]})
    layers = {node: place.layer for node, place in places.items()}
    assert layers == {"source": 0, "seed": 0, "staging": 1, "view": 1, "mart": 2}


def test_no_two_nodes_share_a_place_and_no_row_is_left_out() -> None:
    places = lay_out(_DIAMOND)
    assert sorted(places.values()) == [Place(0, 0), Place(1, 0), Place(1, 1), Place(2, 0)]


def test_rows_follow_the_neighbours_so_that_edges_do_not_cross() -> None:
    places = lay_out({"a1": [], "a2": [], "a3": [], "x": ["a3"], "y": ["a2"], "z": ["a1"]})
    joined = sorted(
        (places[before].row, places[after].row) for after, before in (("x", "a3"), ("y", "a2"), ("z", "a1"))
    )
    assert [after for _, after in joined] == [0, 1, 2]


def test_the_last_share_the_last_layer_whatever_their_paths() -> None:
    places = lay_out({**_DIAMOND, "early": ["a"], "late": ["d"], "alone": []}, last=["early", "late", "alone"])
    assert {places[node].layer for node in ("early", "late", "alone")} == {3}


def test_the_order_of_the_question_changes_nothing() -> None:
    nodes = list(_DIAMOND)
    expected = lay_out(_DIAMOND)
    for seed in range(20):
        random.Random(seed).shuffle(nodes)
        shuffled = {node: random.Random(seed).sample(_DIAMOND[node], len(_DIAMOND[node])) for node in nodes}
        assert lay_out(shuffled) == expected


def test_a_circle_has_no_layers() -> None:
    with pytest.raises(CycleError):
        lay_out({"a": ["b"], "b": ["a"]})
