"""The field's usual figures beside the library's own, and how all of them are written out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
DAY = 86400 * 10**9  # nanoseconds
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
    """
    held = buy_and_hold(prices or {}, history.index)
    return figures_of(
        history.index.to_numpy("datetime64[ns]").astype(np.int64),
        history["value"].to_numpy(dtype=float),
        history[quote_asset].to_numpy(dtype=float) if quote_asset in history else None,
        {name: trades[name].to_numpy() for name in ("profit", "profit_pct", "duration", "fees")},
        None if held is None else held.iloc[-1] / held.iloc[0],
    )


def figures_of(
    times: np.ndarray,
    value: np.ndarray,
    quote: np.ndarray | None,
    trades: Mapping[str, np.ndarray],
    held: float | None,
) -> dict[str, float]:
    """The same out of bare columns, as a sweep has them a thousand times.

    Args:
        times: nanoseconds. ``value``, ``quote``: the account and its part in the quote asset.
        trades: columns of ``paired``. ``held``: what 1.0 held through it all came to.

    Durations are seconds, ``expectancy`` and ``fees`` are in the quote asset, NaN is "there is
    none" (no trade, no day), infinity is a profit factor without a loss.
    """
    done = ~np.isnat(trades["duration"])
    profit = trades["profit"][done]
    percent = trades["profit_pct"][done]
    seconds = trades["duration"][done] / np.timedelta64(1, "s")
    won, lost = profit[profit > 0].sum(), -profit[profit < 0].sum()
    days = _daily_changes(times, value)
    figures = {
        "return_pct": 100 * (value[-1] / value[0] - 1) if len(value) else math.nan,
        "trades": len(profit),
        "win_rate": 100 * _if_any(np.mean, profit > 0),
        "profit_factor": won / lost if lost else (math.inf if won else math.nan),
        "expectancy": _if_any(np.mean, profit),
        "exposure": _exposure(times, value, quote),
        "average_trade": _if_any(np.mean, percent),
        "best_trade": _if_any(np.max, percent),
        "worst_trade": _if_any(np.min, percent),
        "average_duration": _if_any(np.mean, seconds),
        "longest_trade": _if_any(np.max, seconds),
        "best_day": 100 * _if_any(np.max, days),
        "worst_day": 100 * _if_any(np.min, days),
        "deepest_drawdown": 100 * _if_any(np.fmin.reduce, value / np.fmax.accumulate(value) - 1),
        "fees": trades["fees"].sum(),
    }
    if held is not None:
        figures["buy_and_hold_pct"] = 100 * (held - 1)
    known = {name: float(figures[name]) for name in NAMES if name in figures}
    # one NaN for all, so that equal figures are equal as dictionaries too
    return {name: math.nan if math.isnan(value) else value for name, value in known.items()}


def _if_any(function: Callable[[np.ndarray], Any], values: np.ndarray) -> float:
    return float(function(values)) if len(values) else math.nan


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
        text = duration_text(round(abs(value)))
        return f"-{text}" if value < 0 else text
    if key in COUNTS:
        return f"{value:,.0f}"
    if value == 0:  # also a rounded one, which may be -0.0
        return "0.00"
    return f"{value:,.2f}" if abs(value) >= 0.01 else f"{value:.2g}"


def duration_text(seconds: int) -> str:
    """Days where there are some, and the time of day where it is not zero."""
    days, rest = divmod(seconds, 86400)
    parts = [f"{days} day{'' if days == 1 else 's'}"] if days else []
    if rest or not days:
        parts.append(f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}")
    return " ".join(parts)


def _daily_changes(times: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Fractions from one day's last value to the next day's."""
    days = times // DAY
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True)[: len(days)])
    closes = value[last]
    return closes[1:] / closes[:-1] - 1


def _exposure(times: np.ndarray, value: np.ndarray, quote: np.ndarray | None) -> float:
    """Percent of the time in which something other than the quote asset was held or owed."""
    if len(value) < 2 or quote is None:
        return math.nan
    exposed = np.abs(value - quote) > EXPOSED * np.abs(value)
    # as floats: in whole nanoseconds a hundred times three years is more than they can hold
    spans = np.diff(times).astype(float)
    if not spans.sum():
        return math.nan
    return float(100 * np.average(exposed[:-1], weights=spans))
