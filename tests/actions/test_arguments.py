from typing import Any

import pytest

from deploy_magics.actions.arguments import backtest_args, carried, known_settings
from deploy_magics.actions.backtests import backtests
from deploy_magics.actions.feeds import read_pace
from deploy_magics.actions.limits import read_limits
from deploy_magics.actions.naming import default_name, notebook_path
from deploy_magics.errors import NotFoundError, UsageError


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"to": "1y"}, {"to": "1y"}),
        (
            {"start_date": "2017-05-01", "initial_values": {"USD": 1.0}},
            {"start_date": "2017-05-01", "initial_values": {"USD": 1.0}},
        ),
        ({"start_date": "05/31/2017"}, {"start_date": "2017-05-31"}),
        ({"start_date": "1493596800"}, {"start_date": 1493596800.0}),
        ({"start_date": "1493596800000"}, {"start_date": 1493596800.0}),
        ({"settings": {"use_price": "open"}}, {"settings": {"use_price": "open"}}),
        (
            {"args": '{"to": "1y", "use_price": "low"}'},
            {"to": "1y", "settings": {"use_price": "low"}},
        ),
        ({"args": {"to": "1y"}, "to": "2y"}, {"to": "2y"}),
        (
            {"args": {"settings": {"use_price": "low"}}, "settings": {"use_price": "high"}},
            {"settings": {"use_price": "high"}},
        ),
    ],
)
def test_what_is_said_by_name_wins(said: dict[str, Any], expected: dict[str, Any]) -> None:
    assert backtest_args(**said) == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"to": "soon"}, "--to cannot be 'soon'"),
        ({"start_date": "yesterday"}, "--start-date cannot be 'yesterday'"),
        ({"start_date": "2018-01-01", "end_date": "2017-01-01"}, "start is not before the end"),
        ({"settings": {"use_prices": 1}}, "Did you mean use_price?"),
        ({"settings": {"zzz": 1}}, "There are GUI_output"),
        ({"args": "{"}, "--args takes JSON"),
        ({"args": "[]"}, "--args takes a JSON object"),
        ({"args": {"initial_values": 3}}, "--initial-values takes amounts"),
        ({"initial_values": {"USD": -1.0}}, "--initial-values takes amounts"),
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        backtest_args(**said)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_every_setting_has_a_help_line() -> None:
    for name, (kind, text) in known_settings().items():
        assert text and kind in (str, bool, float), name


def test_a_second_run_keeps_what_is_not_said_anew() -> None:
    before = {
        "start_date": "2017-05-01",
        "end_date": "2018-01-01",
        "initial_values": {"USD": 1.0},
        "settings": {"use_price": "open"},
    }
    assert carried(before, {}) == before
    assert carried(before, {"to": "1y"}) == {
        "to": "1y",
        "initial_values": {"USD": 1.0},
        "settings": {"use_price": "open"},
    }
    assert carried(before, {"settings": {"maker_fee": 0.1}})["settings"] == {
        "use_price": "open",
        "maker_fee": 0.1,
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"time": "60s", "memory": "2GB"}, {"seconds": 60, "memory": 2 * 10**9}),
        ({"time": "2m"}, {"seconds": 120}),
        ({"seconds": "1.5"}, {"seconds": 1.5}),
        ({"memory": "500MiB"}, {"memory": 500 * 10**6}),
        ({"memory": "1024"}, {"memory": 1024}),
        ({"output": "10mb"}, {"output": 10**7}),
        ({"cpus": "2"}, {"cpus": 2}),
        ({"processes": "8"}, {"processes": 8}),
    ],
)
def test_limits(said: dict[str, str], expected: dict[str, Any]) -> None:
    found = read_limits(said)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"tme": "1s"}, "Did you mean time?"),
        ({"x": "1"}, "There are time, memory, cpus, output."),
        ({"time": "soon"}, "--limits time cannot be 'soon'"),
        ({"time": "0s"}, "--limits time cannot be '0s'"),
        ({"memory": "2XB"}, "--limits memory cannot be '2XB'"),
    ],
)
def test_limits_that_make_no_sense(said: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match="limit") as caught:
        read_limits(said)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [(None, 1.0), (0, 0), (12.5, 12.5), ("real", "real"), ("Real-Time", "real"), ("max", 0)],
)
def test_the_pace_of_a_replay(said: Any, expected: Any) -> None:
    assert read_pace(said) == expected


@pytest.mark.parametrize("said", [-1, "slow"])
def test_a_pace_that_makes_no_sense(said: Any) -> None:
    with pytest.raises(UsageError, match="--pace cannot be"):
        read_pace(said)


@pytest.mark.parametrize(
    ("file", "cell", "name"),
    [
        ("/home/a/01_rsi-strategy.ipynb", "x = 1", "Rsi strategy"),
        ("RSIModel.ipynb", "x = 1", "RSI Model"),
        ("", "class MeanReversion(blankly.Model):\n    pass", "Mean Reversion"),
        ("", "class Plain:\n    pass", "Notebook model"),
        ("", "not python (", "Notebook model"),
        ("notes.txt", "x = 1", "Notebook model"),
    ],
)
def test_a_name_where_none_is_given(
    file: str, cell: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_MAGICS_NOTEBOOK", file)
    assert default_name(cell) == name


def test_where_the_notebook_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert notebook_path() is None
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/a.ipynb")
    assert str(notebook_path()) == "/work/a.ipynb"


def test_no_backtest_yet() -> None:
    assert len(backtests()) == 0  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="no two backtests"):
        backtests(compare=True)
    with pytest.raises(NotFoundError):
        backtests(["1"])
