"""One shape of answer for freqtrade bots of every age.

Between 2020 (freqtrade 2020.8) and today (2026.9) fields were renamed and two kept their name
but changed their meaning. The functions here turn an answer of either age into today's form:

- a renamed field has today's name (``sell_reason`` → ``exit_reason``), the old one is gone;
- a field that a bot of 2020 does not know is present and ``None`` where code relies on it
  (``TRADE_FIELDS``, ``CONFIG_FIELDS``, ``PROFIT_FIELDS``, ``BALANCE_FIELDS``);
- ``base_currency`` is the pair's base (the bots of 2020 put the stake currency there);
- ``profit_closed_percent`` and ``profit_all_percent`` are relative to the account; a bot of 2020
  answers the mean per trade there, which stays available as ``…_percent_mean``;
- ``first_trade_date`` and ``latest_trade_date`` are dates, never "2 hours ago";
- sums of money are numbers (a bot of August 2020 sends some as text).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
# a bot writes the address of a websocket into its log, with the token that opens it
_SECRET = re.compile(r"(token=)[^\s&\"']+|eyJ[\w-]+\.[\w-]+\.[\w-]+")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_TRADE_RENAMED = {
    "current_profit": "profit_ratio",
    "current_profit_abs": "profit_abs",
    "current_profit_pct": "profit_pct",
    "sell_reason": "exit_reason",
    "sell_order_status": "exit_order_status",
    "open_trade_price": "open_trade_value",
    "stop_loss": "stop_loss_abs",
    "initial_stop_loss": "initial_stop_loss_abs",
    "ticker_interval": "timeframe",
}
_TRADE_DROPPED = ("open_date_hum", "close_date_hum", "open_order", "open_order_id")
TRADE_FIELDS = (
    "trade_id",
    "pair",
    "base_currency",
    "quote_currency",
    "is_open",
    "is_short",
    "amount",
    "stake_amount",
    "open_rate",
    "open_date",
    "open_timestamp",
    "close_rate",
    "close_date",
    "close_timestamp",
    "current_rate",
    "profit_ratio",
    "profit_pct",
    "profit_abs",
    "enter_tag",
    "exit_reason",
    "has_open_orders",
    "orders",
    "stop_loss_abs",
    "leverage",
    "strategy",
    "exchange",
    "timeframe",
)

_CONFIG_RENAMED = {
    "forcebuy_enabled": "force_entry_enable",
    "bid_strategy": "entry_pricing",
    "ask_strategy": "exit_pricing",
    "ticker_interval": "timeframe",
}
CONFIG_FIELDS = (
    "version",
    "api_version",
    "bot_name",
    "strategy",
    "exchange",
    "timeframe",
    "stake_currency",
    "stake_amount",
    "max_open_trades",
    "dry_run",
    "trading_mode",
    "runmode",
    "state",
    "force_entry_enable",
)
PROFIT_FIELDS = (
    "profit_closed_coin",
    "profit_closed_percent",
    "profit_closed_ratio",
    "profit_closed_percent_mean",
    "profit_all_coin",
    "profit_all_percent",
    "profit_all_ratio",
    "profit_all_percent_mean",
    "trade_count",
    "closed_trade_count",
    "winning_trades",
    "losing_trades",
    "winrate",
    "profit_factor",
    "max_drawdown",
    "first_trade_date",
    "first_trade_timestamp",
    "first_trade_humanized",
    "latest_trade_date",
    "latest_trade_timestamp",
    "latest_trade_humanized",
    "avg_duration",
    "best_pair",
    "best_rate",
)
BALANCE_FIELDS = ("total", "total_bot", "stake", "symbol", "value", "note", "starting_capital")


def _renamed(raw: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """Old names replaced; today's value wins where an answer carries both."""
    shaped = {key: value for key, value in raw.items() if key not in names}
    for old, new in names.items():
        if old in raw and shaped.get(new) is None:
            shaped[new] = raw[old]
    return shaped


def _filled(shaped: Json, fields: Sequence[str]) -> Json:
    return {**dict.fromkeys(fields), **shaped}


def is_2020(trade_or_profit: Mapping[str, Any]) -> bool:
    """Whether an answer comes from a bot of the first API."""
    old = ("current_profit", "sell_reason", "open_trade_price", "forcebuy_enabled")
    return any(key in trade_or_profit for key in old)


def trade(raw: Mapping[str, Any]) -> Json:
    """One trade of ``status``, ``trades``, ``trade`` or ``forceenter``."""
    old = is_2020(raw)
    shaped = _filled(_renamed(raw, _TRADE_RENAMED), TRADE_FIELDS)
    if not old:
        return shaped
    shaped["has_open_orders"] = bool(raw.get("open_order_id") or raw.get("open_order"))
    shaped["is_short"] = False
    shaped["leverage"] = 1.0
    if shaped["profit_ratio"] is None:
        shaped["profit_ratio"] = raw.get("close_profit")
        shaped["profit_abs"] = raw.get("close_profit_abs")
    if shaped["profit_pct"] is None and shaped["profit_ratio"] is not None:
        shaped["profit_pct"] = round(shaped["profit_ratio"] * 100, 2)
    base, _, quote = str(raw["pair"]).partition("/")
    shaped["base_currency"], shaped["quote_currency"] = base, quote
    for key in _TRADE_DROPPED:
        shaped.pop(key, None)
    return shaped


def config(raw: Mapping[str, Any], version: str | None = None) -> Json:
    """``show_config``; ``version`` is what the bot of 2020 only tells at ``/version``.

    A bot of 2020 that was told to buy no more runs on with no trade allowed: its state reads
    ``paused`` here, which is today's word for it.
    """
    shaped = _filled(_renamed(raw, _CONFIG_RENAMED), CONFIG_FIELDS)
    shaped["version"] = shaped["version"] or version
    if "forcebuy_enabled" in raw:
        shaped["trading_mode"] = "spot"
        shaped["runmode"] = "dry_run" if raw.get("dry_run") else "live"
        if raw.get("state") == "running" and raw.get("max_open_trades") == 0:
            shaped["state"] = "paused"
    return shaped


def profit(raw: Mapping[str, Any]) -> Json:
    """``profit``, and each part of ``profit_all``."""
    shaped = _filled(dict(raw), PROFIT_FIELDS)
    if "profit_closed_ratio" not in raw:  # 2020: percent is the mean per trade
        shaped["profit_closed_percent"] = shaped["profit_all_percent"] = None
        for which in ("first", "latest"):
            shaped[f"{which}_trade_humanized"] = raw.get(f"{which}_trade_date")
            shaped[f"{which}_trade_date"] = _date(raw.get(f"{which}_trade_timestamp"))
    return shaped


def balance(raw: Mapping[str, Any]) -> Json:
    """``balance``; what the bot owns of it is everything where the bot does not tell."""
    shaped = _filled(dict(raw), BALANCE_FIELDS)
    shaped["currencies"] = [
        {"bot_owned": None, "side": "long", **currency} for currency in raw.get("currencies", [])
    ]
    if shaped["total_bot"] is None:
        shaped["total_bot"] = shaped["total"]
    return shaped


def count(raw: Mapping[str, Any]) -> Json:
    """``count``: ``max`` is a whole number, -1 where there is no bound."""
    limit = raw["max"]
    unbounded = limit is None or limit == float("inf") or limit < 0
    return {**raw, "max": -1 if unbounded else int(limit)}


def performance(rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    """``performance``: ``profit_pct`` and ``profit_ratio`` are there for both ages."""
    fields = ("pair", "count", "profit_pct", "profit_ratio", "profit_abs")
    shaped = []
    for row in rows:
        one = _filled(_renamed(row, {"profit": "profit_pct"}), fields)
        if one["profit_ratio"] is None and one["profit_pct"] is not None:
            one["profit_ratio"] = one["profit_pct"] / 100
        shaped.append(one)
    return shaped


def periods(raw: Mapping[str, Any]) -> Json:
    """``daily``, ``weekly`` and ``monthly``."""
    rows = [
        {
            "rel_profit": None,
            "starting_balance": None,
            **row,
            "abs_profit": float(row["abs_profit"]),
            "fiat_value": float(row["fiat_value"] or 0),
            "trade_count": int(str(row["trade_count"]).split()[0]),
        }
        for row in raw["data"]
    ]
    return {**raw, "data": rows}


def logs(raw: Mapping[str, Any]) -> Json:
    """``logs`` without colours, and without the tokens that a bot writes into its log."""
    return {**raw, "logs": [[clean(part) for part in record] for record in raw["logs"]]}


def clean(part: Any) -> Any:
    if not isinstance(part, str):
        return part
    return _SECRET.sub(r"\1***", _COLOURS.sub("", part))


def _date(milliseconds: Any) -> str:
    if not milliseconds:
        return ""
    when = dt.datetime.fromtimestamp(int(milliseconds) / 1000, dt.timezone.utc)
    return when.strftime("%Y-%m-%d %H:%M:%S")
