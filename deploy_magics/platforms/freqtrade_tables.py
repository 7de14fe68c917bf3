"""A bot's answers as DataFrames: numbers as numbers, times as UTC timestamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

_TRADE_COLUMNS = (
    "trade_id",
    "pair",
    "is_short",
    "amount",
    "stake_amount",
    "leverage",
    "open_time",
    "open_rate",
    "current_rate",
    "close_time",
    "close_rate",
    "profit_pct",
    "profit_abs",
    "enter_tag",
    "exit_reason",
    "has_open_orders",
    "stop_loss_abs",
    "strategy",
)
_LOCK_COLUMNS = ("id", "pair", "side", "active", "lock_time", "lock_end_time", "reason")


def _frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns)).infer_objects()


def _times(values: Any, unit: Any = "ms") -> Any:
    """Epoch numbers (or nothing) as timestamps; 0 is freqtrade's "never"."""
    numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce")
    return pd.to_datetime(numbers.where(numbers > 0), unit=unit, utc=True)


def _numbers(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    for column in columns:
        if column in frame:
            frame[column] = pd.to_numeric(frame[column], errors="coerce")
    return frame


def trades(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Trades in today's shape, indexed by ``trade_id``; open ones have no close columns filled."""
    frame = _frame(rows, _TRADE_COLUMNS)
    frame["open_time"] = _times([row.get("open_timestamp") for row in rows])
    frame["close_time"] = _times([row.get("close_timestamp") for row in rows])
    numeric = ("amount", "stake_amount", "leverage", "open_rate", "current_rate", "close_rate")
    _numbers(frame, (*numeric, "profit_pct", "profit_abs", "stop_loss_abs"))
    for column in ("is_short", "has_open_orders"):
        frame[column] = frame[column].fillna(False).astype(bool)
    frame["trade_id"] = frame["trade_id"].astype("int64")
    return frame.set_index("trade_id")


def open_trades(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """``status`` without the columns that only a closed trade fills."""
    return trades(rows).drop(columns=["close_time", "close_rate", "exit_reason"])


def periods(answer: Mapping[str, Any]) -> pd.DataFrame:
    """``daily``, ``weekly``, ``monthly``: indexed by the first day of the period, oldest first."""
    columns = ("date", "abs_profit", "rel_profit", "starting_balance", "fiat_value", "trade_count")
    frame = _numbers(_frame(answer["data"], columns), columns[1:])
    frame["date"] = pd.to_datetime(frame["date"], utc=True)
    return frame.set_index("date").sort_index()


def balance(answer: Mapping[str, Any]) -> pd.DataFrame:
    """One row per currency; amounts in that currency, ``est_stake`` in the stake currency."""
    columns = ("currency", "free", "used", "balance", "bot_owned", "est_stake", "side")
    frame = _numbers(_frame(answer["currencies"], columns), columns[1:6])
    return frame.set_index("currency")


def performance(rows: Sequence[Mapping[str, Any]], key: str = "pair") -> pd.DataFrame:
    """``performance``, ``entries``, ``exits`` or ``mix_tags``, by what ``key`` names."""
    columns = (key, "count", "profit_pct", "profit_ratio", "profit_abs")
    frame = _numbers(_frame(rows, columns), columns[1:])
    return frame.set_index(key)


def locks(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Pair locks, indexed by the lock's id."""
    rows = answer["locks"]
    frame = _frame(rows, _LOCK_COLUMNS)
    frame["lock_time"] = _times([row["lock_timestamp"] for row in rows])
    frame["lock_end_time"] = _times([row["lock_end_timestamp"] for row in rows])
    return frame.set_index("id")


def logs(answer: Mapping[str, Any]) -> pd.DataFrame:
    """The bot's last log records, oldest first."""
    frame = pd.DataFrame(answer["logs"], columns=["text", "time", "logger", "level", "message"])
    frame["time"] = _times(frame["time"].to_list())
    return frame.drop(columns="text").set_index("time")


def candles(answer: Mapping[str, Any]) -> pd.DataFrame:
    """``pair_candles``, ``pair_history``: the strategy's columns, by the candle's open."""
    frame = pd.DataFrame(answer["data"], columns=list(answer["columns"]))
    if "date" in frame:
        frame["date"] = pd.to_datetime(frame["date"], utc=True)
        frame = frame.set_index("date")
    return frame.drop(columns=[name for name in frame if str(name).startswith("__")])


def historic_balance(answer: Mapping[str, Any]) -> pd.DataFrame:
    """The wallet over time, in the stake currency."""
    return candles(answer)


def stats(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Wins, draws and losses by exit reason; mean durations in seconds are in ``.attrs``."""
    rows = answer["exit_reasons"] if "exit_reasons" in answer else answer.get("sell_reasons", {})
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["wins", "draws", "losses"])
    frame.index.name = "exit_reason"
    frame.attrs["durations"] = answer.get("durations", {})
    return frame


def facts(answer: Mapping[str, Any]) -> pd.Series:
    """A flat answer (``profit``, ``show_config``, ``count``, …) as one column."""
    return pd.Series(dict(answer), dtype=object)
