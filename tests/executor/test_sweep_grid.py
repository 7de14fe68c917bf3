from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy_magics.errors import ModelError, UsageError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.sweep_folds import make_folds, span
from deploy_magics.executor.sweep_grid import (
    Constants,
    combinations,
    constants_of,
    settings_of,
    split_names,
    with_arguments,
    with_constants,
)
from deploy_magics.model import Model

SOURCE = '''\
"""A model."""
LOW = 30  # buys below
HIGH: int = 70
FAST, SLOW = 5, (20 +
    10)
A = B = "é"; NAME = 'x'
PAIRS = [
    "EUR-USD",
    "BTC-USD",
]
if True:
    INNER = 1
def f():
    LOW = 1
TWICE = 1
TWICE = 2
x.y = 3
'''


def test_the_names_at_the_top() -> None:
    names = Constants(SOURCE).names
    assert names == ["LOW", "HIGH", "FAST", "SLOW", "A", "B", "NAME", "PAIRS", "TWICE"]


@pytest.mark.parametrize(
    ("values", "line", "becomes"),
    [
        ({"LOW": 25}, 2, "LOW = 25  # buys below"),
        ({"LOW": -1.5}, 2, "LOW = (-1.5)  # buys below"),
        ({"HIGH": None}, 3, "HIGH: int = None"),
        ({"FAST": 9}, 4, "FAST, SLOW = 9, (20 +"),
        ({"A": "ü", "NAME": "y"}, 6, "A = B = 'ü'; NAME = 'y'"),
    ],
)
def test_values_are_replaced(values: dict[str, Any], line: int, becomes: str) -> None:
    changed = Constants(SOURCE).changed(values)
    assert changed.splitlines()[line - 1] == becomes
    assert len(changed.splitlines()) == len(SOURCE.splitlines())


def test_lines_stay_where_they_are() -> None:
    changed = Constants(SOURCE).changed({"PAIRS": ["A-B"], "SLOW": {"a": (1, 2)}, "LOW": 1})
    before, after = SOURCE.splitlines(), changed.splitlines()
    assert len(before) == len(after)
    assert after[10:] == before[10:]
    values = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(changed).body
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
    }
    assert values["PAIRS"] == ["A-B"]


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(numbers, inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=80)
@given(plain, plain)
def test_any_literal(low: Any, pairs: Any) -> None:
    changed = Constants(SOURCE).changed({"LOW": low, "PAIRS": pairs})
    body = {n.targets[0].id: n.value for n in ast.parse(changed).body  # type: ignore[union-attr]
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}  # fmt: skip
    assert ast.literal_eval(body["LOW"]) == low
    assert ast.literal_eval(body["PAIRS"]) == pairs
    assert changed.count("\n") == SOURCE.count("\n")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"TWICE": 1}, r"lines 15 and 16"),
        ({"LOW": object()}, "cannot be set"),
        ({"LOW": float("nan")}, "cannot be set"),
    ],
)
def test_what_cannot_be_replaced(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Constants(SOURCE).changed(values)


def test_a_script_that_is_no_python() -> None:
    with pytest.raises(ModelError, match="not Python"):
        Constants("def")


def test_a_model_with_other_values(rsi_model: Model) -> None:
    constants = constants_of(rsi_model)
    changed = with_constants(rsi_model, constants, {"LOW": 20})
    assert b"LOW, HIGH = 20, 65" in changed.read("bot.py")
    assert changed.digest != rsi_model.digest
    assert with_constants(rsi_model, constants, {}) is rsi_model


def test_names_are_constants_arguments_or_mistakes(rsi_model: Model) -> None:
    known = settings_of(rsi_model)
    assert {"risk_free_return_rate", "taker_fee"} <= set(known)
    grid = {"LOW": [1], "to": ["1y"], "taker-fee": [0]}
    assert split_names(grid, constants_of(rsi_model), known) == (["LOW"], ["to", "taker-fee"])
    with pytest.raises(UsageError, match="Did you mean LOW"):
        split_names({"LOWER": [1]}, constants_of(rsi_model), known)
    with pytest.raises(UsageError, match="constants: LOW, HIGH, SIZE"):
        split_names({"zzz": [1]}, constants_of(rsi_model), known)


def test_arguments() -> None:
    args = {"to": "1y", "settings": {"a": 1}}
    assert with_arguments(args, {"taker_fee": 0.1}) == {
        "to": "1y",
        "settings": {"a": 1, "taker_fee": 0.1},
    }
    dates = with_arguments(args, {"start_date": 5})
    assert dates == {"start_date": 5, "settings": {"a": 1}}
    assert "start_date" not in with_arguments(dates, {"to": "2y"})
    assert args == {"to": "1y", "settings": {"a": 1}}


def test_combinations() -> None:
    grid = {"A": range(3), "B": ["x", "y", "x"], "C": 5}
    everything = combinations(grid)
    assert len(everything) == 6
    assert everything[1] == {"A": 0, "B": "y", "C": 5}
    drawn = combinations(grid, 4, seed=3)
    assert drawn == combinations(grid, 4, seed=3)
    assert len({repr(values) for values in drawn}) == 4
    assert all(values in everything for values in drawn)
    assert combinations(grid, 99) == everything
    assert len(combinations({"A": range(10**6), "B": range(10**6)}, 5)) == 5
    assert combinations({}) == [{}]


@pytest.mark.parametrize(
    ("grid", "random"),
    [({"A": []}, None), ({"A": [1]}, 0), ({"A": range(2000), "B": range(2000)}, None)],
)
def test_grids_that_make_no_sense(grid: dict[str, Any], random: int | None) -> None:
    with pytest.raises(UsageError):
        combinations(grid, random)


def test_folds(rsi_prices: PriceSet) -> None:
    start, end = span({}, rsi_prices)
    assert (end - start) == 1499 * 3600
    folds = make_folds(3, {}, rsi_prices)
    assert [fold.number for fold in folds] == [1, 2, 3]
    assert folds[0].start == start
    assert folds[-1].end == end
    assert [a.end for a in folds[:-1]] == [b.middle for b in folds[1:]]
    assert folds[1].chosen_on == {"start_date": folds[1].start, "end_date": folds[0].end}
    anchored = make_folds(3, {}, rsi_prices, anchored=True)
    assert {fold.start for fold in anchored} == {start}


@pytest.mark.parametrize(
    ("args", "seconds"),
    [
        ({"to": "10d"}, 10 * 86400),
        ({"to": "2h"}, 7200),
        ({"to": "9y"}, 1499 * 3600),
        ({"to": 5000.0}, 5000),
        ({"start_date": "2017-05-02", "end_date": "2017-05-04"}, 2 * 86400),
        ({"start_date": "2017-05-02T00:00+02:00", "end_date": 1_493_690_400}, 4 * 3600),
    ],
)
def test_the_time_of_a_run(args: dict[str, Any], seconds: int, rsi_prices: PriceSet) -> None:
    start, end = span(args, rsi_prices)
    assert end - start == seconds


@pytest.mark.parametrize(
    ("count", "args"),
    [
        (0, {}),
        (2, {"to": "soon"}),
        (2, {"start_date": "never"}),
        (900, {}),
        (2, {"start_date": "2030"}),
    ],
)
def test_folds_that_make_no_sense(count: int, args: dict[str, Any], rsi_prices: PriceSet) -> None:
    with pytest.raises(UsageError):
        make_folds(count, args, rsi_prices)


def test_folds_need_a_time() -> None:
    with pytest.raises(UsageError, match="--start-date"):
        make_folds(2, {}, None)
