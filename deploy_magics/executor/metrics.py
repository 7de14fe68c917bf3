"""The field's usual figures beside the library's own, and how all of them are written out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from deploy_magics.executor.result import BacktestResult

# in the order they are shown; '%' values are percent, as the library's own are
NAMES: dict[str, str] = {
    "return_pct": "Return (%)",
    "buy_and_hold_pct": "Buy and Hold (%)",
    "trades": "Trades",
    "win_rate": "Win Rate (%)",
    "profit_factor": "Profit Factor",
    "expectancy": "Expectancy",
    "exposure": "Exposure (%)",
    "average_trade": "Average Trade (%)",
    "best_trade": "Best Trade (%)",
    "worst_trade": "Worst Trade (%)",
    "average_duration": "Average Trade Duration",
    "longest_trade": "Longest Trade",
    "best_day": "Best Day (%)",
    "worst_day": "Worst Day (%)",
    "deepest_drawdown": "Deepest Drawdown (%)",
    "fees": "Fees",
}
# the library's own, where only a key is at hand
LIBRARY_NAMES = {
    "cagr": "CAGR (%)",
    "cum_returns": "Cumulative Returns (%)",
    "max_drawdown": "Max Drawdown (%)",
    "sharpe": "Sharpe Ratio",
    "sortino": "Sortino Ratio",
    "calmar": "Calmar Ratio",
}
DURATIONS = frozenset({"average_duration", "longest_trade", "resampled_time"})
COUNTS = frozenset({"trades"})
# what a user looks at first
KEY_METRICS = ("return_pct", "cagr", "sharpe", "max_drawdown", "trades", "win_rate")
EXPOSED = 0.001  # of the account's value: less is dust that rounding left


def further_metrics(
    history: pd.DataFrame,
    trades: pd.DataFrame,
    quote_asset: str | None,
    prices: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, float]:
    """Figures that the library does not give.

    Args:
        history: the account by time: a column 'value' and one for each asset.
        trades: what ``pair_orders`` made of the orders; those still open are left out.
        prices: frames with a 'close' by time, for buy and hold; it is left out without them.

    Durations are seconds, ``expectancy`` and ``fees`` are in the quote asset, NaN is "there is
    none" (no trade, no day), infinity is a profit factor without a loss.
    """
    value = history["value"]
    done = trades["exit_time"].notna().to_numpy()
    profit = trades["profit"].to_numpy()[done]
    percent = pd.Series(trades["profit_pct"].to_numpy()[done])
    won, lost = profit[profit > 0].sum(), -profit[profit < 0].sum()
    seconds = pd.Series(trades["duration"].to_numpy()[done] / np.timedelta64(1, "s"))
    days = _daily_changes(value)
    figures = {
        "return_pct": 100 * (value.iloc[-1] / value.iloc[0] - 1) if len(value) else math.nan,
        "trades": float(len(profit)),
        "win_rate": 100 * (profit > 0).mean() if len(profit) else math.nan,
        "profit_factor": won / lost if lost else (math.inf if won else math.nan),
        "expectancy": profit.mean() if len(profit) else math.nan,
        "exposure": _exposure(history, quote_asset),
        "average_trade": percent.mean(),
        "best_trade": percent.max(),
        "worst_trade": percent.min(),
        "average_duration": seconds.mean(),
        "longest_trade": seconds.max(),
        "best_day": 100 * days.max() if len(days) else math.nan,
        "worst_day": 100 * days.min() if len(days) else math.nan,
        "deepest_drawdown": 100 * (value / value.cummax() - 1).min() if len(value) else math.nan,
        "fees": trades["fees"].sum(),
    }
    held = buy_and_hold(prices or {}, value.index)
    if held is not None:
        figures["buy_and_hold_pct"] = 100 * (held.iloc[-1] / held.iloc[0] - 1)
    return {name: float(figures[name]) for name in NAMES if name in figures}


def buy_and_hold(prices: Mapping[str, pd.DataFrame], times: pd.Index) -> pd.Series | None:
    """What 1.0 put into all symbols alike at the first of these times is worth at each of them."""
    if not len(times):
        return None
    shares = []
    for frame in prices.values():
        at = np.searchsorted(frame.index, times, side="right") - 1
        close = frame["close"].to_numpy()[np.clip(at, 0, len(frame) - 1)]
        shares.append(close / close[0])
    return pd.Series(np.mean(shares, axis=0), index=times) if shares else None


def metrics_table(result: BacktestResult) -> list[tuple[str, str, str]]:
    """(key, name to show, value to show) of every metric, the most telling first."""
    keys = [key for key in KEY_METRICS if key in result.metrics]
    keys += [key for key in result.metrics if key not in keys]
    return [
        (key, metric_name(key, result.metric_names), format_metric(key, result.metrics[key]))
        for key in keys
    ]


def metric_name(key: str, names: Mapping[str, str] | None = None) -> str:
    return (
        (names or {}).get(key)
        or NAMES.get(key)
        or LIBRARY_NAMES.get(key)
        or key.replace("_", " ").capitalize()
    )


def format_metric(key: str, value: Any) -> str:
    """Short and aligned in meaning; the unit stands in the metric's name."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if key in DURATIONS:
        text = str(pd.Timedelta(seconds=round(abs(value)))).replace(" 00:00:00", "")
        return f"-{text}" if value < 0 else text
    if key in COUNTS:
        return f"{value:,.0f}"
    if value == 0:  # also a rounded one, which may be -0.0
        return "0.00"
    return f"{value:,.2f}" if abs(value) >= 0.01 else f"{value:.2g}"


def _daily_changes(value: pd.Series) -> np.ndarray:
    """Fractions from one day's last value to the next day's."""
    days = value.index.to_numpy("datetime64[D]")
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    closes = value.to_numpy(dtype=float)[last]
    return closes[1:] / closes[:-1] - 1


def _exposure(history: pd.DataFrame, quote_asset: str | None) -> float:
    """Percent of the time in which something other than the quote asset was held or owed."""
    if len(history) < 2 or quote_asset is None or quote_asset not in history:
        return math.nan
    value = history["value"].to_numpy()
    outside = np.abs(value - history[quote_asset].to_numpy())
    exposed = outside > EXPOSED * np.abs(value)
    # as floats: in whole nanoseconds a hundred times three years is more than they can hold
    spans = np.diff(history.index.to_numpy("datetime64[ns]").astype(np.int64)).astype(float)
    if not spans.sum():
        return math.nan
    return float(100 * np.average(exposed[:-1], weights=spans))
