from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from deploy_magics.errors import UsageError
from deploy_magics.executor.compare import compare
from deploy_magics.executor.result import BacktestResult

pytestmark = pytest.mark.usefixtures("cache")
Make = Callable[..., BacktestResult]


@pytest.fixture
def three(make_result: Make, fake_model: Any) -> list[BacktestResult]:
    changed = fake_model(files={"bot.py": b"LOW = 20\nHIGH = 70\n", "more.py": b"x = '<b>'\n"})
    return [
        make_result("a", args={"to": "1y", "initial_values": {"USD": 1}}),
        make_result("b", seed=2, model=changed, args={"to": "1y", "initial_values": {"USD": 2}}),
        make_result("c", seed=3, metrics={"sharpe": 1.0}),
    ]


def test_metrics_with_differences(three: list[BacktestResult]) -> None:
    table = compare(three, ["a", "b", "c"]).table
    assert list(table.columns) == ["a", "b", "Δ b", "c", "Δ c"]
    assert table.loc["sharpe"].tolist() == [2.5, 3.5, 1.0, 1.0, -1.5]
    assert table.loc["cagr", "Δ b"] == 0
    assert table.loc["cagr"].isna().tolist() == [False, False, False, True, True]


def test_what_changed(three: list[BacktestResult]) -> None:
    comparison = compare(three, ["a", "b", "c"])
    arguments = comparison.changed_arguments
    assert arguments.loc["initial_values.USD"].tolist() == [1, 2, "–"]
    assert "to" not in arguments.index
    assert list(comparison.code_changes) == ["b"]
    diff = comparison.code_changes["b"].splitlines()
    assert "-LOW = 30" in diff
    assert "+LOW = 20" in diff
    assert "+x = '<b>'" in diff
    assert " HIGH = 70" in diff


def test_what_was_said_and_what_came_of_it(make_result: Make) -> None:
    span = {"to": None, "end_date": 1_500_000_000}
    year, month = (
        make_result(to, args={"to": to}, args_used={**span, "start_date": start})
        for to, start in (("1y", 1_400_000_000.0), ("1M", 1_490_000_000.0))
    )
    changed = compare([year, month], ["a", "b"]).changed_arguments
    assert changed.loc["to"].tolist() == ["1y", "1M"]
    assert changed.loc["start_date"].tolist() == ["2014-05-13 16:53", "2017-03-20 08:53"]
    assert "end_date" not in changed.index


def test_how_it_is_shown(three: list[BacktestResult]) -> None:
    comparison = compare(three, ["a", "b", "c"])
    text = repr(comparison)
    assert "Sharpe Ratio" in text
    assert "+1.00" in text
    assert "-1.50" in text
    formatter = DisplayFormatter(parent=None)
    formatter.active_types = ["text/plain"]
    assert set(formatter.format(comparison)[0]) == {"text/plain"}  # a terminal's: no picture
    formatter.active_types = formatter.format_types
    bundle, _ = formatter.format(comparison)
    assert bundle["image/png"][:4] == b"\x89PNG"
    assert "x = &#x27;&lt;b&gt;&#x27;" in bundle["text/html"]
    assert "<b>'" not in bundle["text/html"]
    labels = [line.get_label() for line in comparison.plot().figure.axes[0].lines]
    assert labels == ["a", "b", "c"]


def test_the_same_run_twice(make_result: Make) -> None:
    result = make_result()
    comparison = compare([result, result.cached()])
    assert len(set(comparison.names)) == 2
    assert "The same code, arguments and data." in repr(comparison)


def test_names_tell_runs_apart(three: list[BacktestResult], fake_model: Any) -> None:
    three[0].model = "MACD"
    assert compare(three[:2]).names == ["MACD", "RSI"]
    assert len(set(compare(three).names)) == 3


def test_one_alone() -> None:
    with pytest.raises(UsageError, match="two runs"):
        compare([])
