from __future__ import annotations

import inspect

import pytest

from pageviews_core import errors
from pageviews_core.errors import ExitCode, PageviewsError

EXPECTED = {
    "PageviewsError": 70, "ConfigurationError": 78, "UnknownSchemaVersion": 78, "TemporaryError": 75,
    "SourceUnavailable": 75, "StoreUnavailable": 75, "WarehouseUnavailable": 75, "HourError": 75, "SourceCorrupt": 75,
    "TooManyRejects": 75, "CountsDiffer": 75, "InputGone": 75, "TransformFailed": 75, "LeaseLost": 75, "Stopped": 143,
}  # fmt: skip
TREE = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PageviewsError) and kind.__module__ == errors.__name__
}


def test_every_error_has_its_exit_code() -> None:
    assert {name: int(kind.exit_code) for name, kind in TREE.items()} == EXPECTED


@pytest.mark.parametrize("name", EXPECTED)
def test_every_error_stands_in_the_tree_that_the_module_draws(name: str) -> None:
    assert errors.__doc__ is not None
    assert name in errors.__doc__


def test_success_is_the_only_code_that_is_false() -> None:
    assert [code for code in ExitCode if not code] == [ExitCode.DONE]
