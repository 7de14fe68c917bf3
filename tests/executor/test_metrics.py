from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import quantstats

from deploy_magics.executor.metrics import (
    NAMES,
    buy_and_hold,
    format_metric,
    further_metrics,
    metrics_table,
)
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.tearsheet import daily_returns
from deploy_magics.executor.trades import pair_orders

Order = Callable[..., dict[str, Any]]


def history(values: list[float], usd: list[float] | None = None, hours: int = 24) -> pd.DataFrame:
    index = pd.date_range("2017-05-01", periods=len(values), freq=f"{hours}h", tz="UTC")
    return pd.DataFrame({"USD": usd or values, "value": values}, index=index, dtype=float)


def test_the_figures(make_order: Order) -> None:
    trades = pair_orders(
        [
            make_order("buy", 10, 100, 0, fee=1),
            make_order("sell", 10, 110, 10, fee=1),  # +98
            make_order("buy", 10, 100, 20),
            make_order("sell", 10, 95, 50),  # -50
            make_order("buy", 10, 100, 60),
            make_order("sell", 10, 102, 70),  # +20
            make_order("buy", 10, 100, 80, fee=1),  # still open
        ]
    )
    account = history([1000, 1100, 990, 1200], usd=[1000, 100, 990, 1200])
    figures = further_metrics(account, trades, "USD")
    assert figures == pytest.approx(
        {
            "return_pct": 20.0,
            "trades": 3,
            "win_rate": 200 / 3,
            "profit_factor": 118 / 50,
            "expectancy": 68 / 3,
            "exposure": 100 / 3,
            "average_trade": (9.8 - 5 + 2) / 3,
            "best_trade": 9.8,
            "worst_trade": -5.0,
            "average_duration": 50 / 3 * 3600,
            "longest_trade": 30 * 3600,
            "best_day": 100 * (1200 / 990 - 1),
            "worst_day": -10.0,
            "deepest_drawdown": -10.0,
            "fees": 3,
        }
    )
    assert list(figures) == [name for name in NAMES if name in figures]


def test_they_agree_with_the_library_of_the_field(make_result: Any) -> None:
    result = make_result(rows=900)
    days = daily_returns(result.equity)
    assert result.metrics["worst_day"] == pytest.approx(100 * quantstats.stats.worst(days))
    assert result.metrics["best_day"] == pytest.approx(100 * quantstats.stats.best(days))
    steps = result.equity.pct_change().dropna()
    deepest = 100 * quantstats.stats.max_drawdown(steps)
    assert result.metrics["deepest_drawdown"] == pytest.approx(deepest)


def test_no_trade_and_no_loss(make_order: Order) -> None:
    nothing = further_metrics(history([1000]), pair_orders([]), None)
    assert nothing["trades"] == 0
    assert math.isnan(nothing["win_rate"])
    assert math.isnan(nothing["exposure"])
    won = pair_orders([make_order("buy", 1, 1, 0), make_order("sell", 1, 2, 1)])
    assert further_metrics(history([1.0, 2.0]), won, "USD")["profit_factor"] == math.inf


def test_dust_is_no_exposure() -> None:
    account = history([1000.0] * 5, usd=[999.99] * 5)
    assert further_metrics(account, pair_orders([]), "USD")["exposure"] == 0


def test_buy_and_hold() -> None:
    index = pd.date_range("2017-05-01", periods=4, freq="h", tz="UTC")
    prices = {
        "A": pd.DataFrame({"close": [1.0, 2.0, 3.0, 4.0]}, index=index),
        "B": pd.DataFrame({"close": [10.0, 10.0]}, index=index[[0, 3]]),
    }
    held = buy_and_hold(prices, index[[1, 1, 3]])
    assert held is not None
    assert held.tolist() == [1.0, 1.0, 1.5]
    assert buy_and_hold({}, index) is None
    account = history([1.0, 1.0], hours=3)
    assert further_metrics(account, pair_orders([]), "USD", prices)["buy_and_hold_pct"] == 150


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("sharpe", 1.5, "1.50"),
        ("sharpe", float("nan"), "–"),
        ("profit_factor", math.inf, "∞"),
        ("trades", 1234.0, "1,234"),
        ("longest_trade", 90000.4, "1 day 01:00:00"),
        ("resampled_time", 86400.0, "1 day"),
        ("variance", 0.00012345, "0.00012"),
        ("expectancy", 0.0, "0.00"),
        ("cagr", -0.0, "0.00"),
        ("longest_trade", -79200.0, "-22:00:00"),
        ("fees", 12345.678, "12,345.68"),
        ("text", "n/a", "n/a"),
    ],
)
def test_how_they_are_written(key: str, value: Any, shown: str) -> None:
    assert format_metric(key, value) == shown


def test_the_table_begins_with_what_tells_most(make_result: Callable[..., BacktestResult]) -> None:
    table = metrics_table(make_result())
    assert [key for key, _, _ in table][:3] == ["return_pct", "cagr", "sharpe"]
    names = {key: name for key, name, _ in table}
    assert names["cagr"] == "Compound Annual Growth Rate (%)"
    assert names["win_rate"] == "Win Rate (%)"
    assert names["sortino"] == "Sortino Ratio"
    assert len(table) == len(names)


def test_exposure_counts_time_and_not_rows() -> None:
    index = pd.DatetimeIndex(["2017-05-01", "2017-05-02", "2017-05-12"], tz="UTC")
    account = pd.DataFrame({"USD": [100.0, 0.0, 100.0], "value": 100.0}, index=index)
    exposure = further_metrics(account, pair_orders([]), "USD")["exposure"]
    assert exposure == pytest.approx(1000 / 11)
    assert not np.isnan(exposure)


def test_exposure_of_many_years() -> None:
    account = history([100.0] * 3000, usd=[100.0] * 1000 + [50.0] * 2000, hours=240)
    assert further_metrics(account, pair_orders([]), "USD")["exposure"] == pytest.approx(
        100 * 1999 / 2999
    )
