"""A live run in the words of a freqtrade bot: trades, profit, balance, from its orders.

What one buys of a symbol is a trade, from its entry until all of it is sold (first in, first
out). Times are the model's: those of the replayed prices in a replay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy_magics.server.dialects.freqtrade_trades import Trade, grouped, pair_of, trades_of

Json = dict[str, Any]
FINAL = ("done", "filled", "canceled", "cancelled", "expired", "rejected", "closed")


@dataclass
class View:
    """What a run did so far.

    Attributes:
        pending: orders that are not filled yet, by their id.
        now: the model's time of the last account that was told, 0 before.
        history: [time, value] of the account.
    """

    name: str
    live: bool
    exchange: str = ""
    trades: list[Trade] = field(default_factory=list)
    pending: Mapping[str, Json] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[tuple[float, float]] = ()
    quote: str = "USD"
    now: float = 0.0

    @classmethod
    def of(cls, name: str, live: bool, orders: Iterable[Json], account: Json) -> View:
        known = list(orders)
        points = [
            (float(point["time"]), float(point["value"]))
            for point in account.get("history", ())
            if point.get("time") is not None and point.get("value") is not None
        ]
        made = cls(name, live, trades=trades_of(known), history=points)
        made.pending = {str(o.get("id")): o for o in known if o.get("status") not in FINAL}
        made.values = account.get("values") or {}
        made.quote = next((str(o["quote_asset"]) for o in known if o.get("quote_asset")), "USD")
        made.now = points[-1][0] if points else 0.0
        return made

    @property
    def open(self) -> list[Trade]:
        return [trade for trade in self.trades if trade.is_open]

    @property
    def closed(self) -> list[Trade]:
        return [trade for trade in self.trades if not trade.is_open]

    @property
    def start(self) -> float:
        return self.history[0][1] if self.history else 0.0

    @property
    def value(self) -> float:
        return self.history[-1][1] if self.history else 0.0

    def rate(self, trade: Trade) -> float:
        """A symbol's price now, as the account's value tells it; else that of its last trade."""
        held = {name: _amount(each) for name, each in self.values.items() if name != self.quote}
        held = {name: amount for name, amount in held.items() if amount}
        base = pair_of(trade.symbol).partition("/")[0]
        if list(held) == [base]:
            return (self.value - _amount(self.values.get(self.quote))) / held[base]
        same = [each for each in self.trades if each.symbol == trade.symbol]
        return same[-1].close_rate or same[-1].open_rate

    def profit_now(self, trade: Trade) -> float:
        """After fees; of an open trade what its exit would bring now, before that exit's fee."""
        if not trade.is_open:
            return trade.profit
        direction = 1 if trade.side == "long" else -1
        moved = direction * (self.rate(trade) - trade.open_rate) * trade.left
        return trade.profit + moved - trade.fees

    def trade(self, trade: Trade) -> Json:
        """One trade in the fields of ``status`` and ``trades``."""
        pair = pair_of(trade.symbol)
        base, _, quote = pair.partition("/")
        profit = self.profit_now(trade)
        ratio = profit / trade.stake if trade.stake else 0.0
        rate = self.rate(trade) if trade.is_open else trade.close_rate
        shown: Json = {
            "trade_id": trade.number,
            "pair": pair,
            "base_currency": base,
            "quote_currency": quote,
            "is_open": trade.is_open,
            "is_short": trade.side == "short",
            "exchange": self.exchange,
            "strategy": self.name,
            "amount": trade.left if trade.is_open else trade.amount,
            "amount_requested": trade.amount,
            "stake_amount": trade.stake,
            "max_stake_amount": trade.stake,
            "open_trade_value": trade.stake,
            "enter_tag": None,
            "leverage": 1.0,
            "trading_mode": "spot",
            "has_open_orders": False,
            "orders": [],
            "open_rate": trade.open_rate,
            **_when("open", trade.opened),
            **_when("open_fill", trade.opened),
            **_when("close", trade.closed),
            "close_rate": trade.close_rate,
            "current_rate": rate,
            "profit_ratio": ratio,
            "profit_pct": round(100 * ratio, 2),
            "profit_abs": profit,
            "realized_profit": trade.profit,
            "stop_loss_abs": None,
            "exit_reason": None if trade.is_open else "model",
        }
        if not trade.is_open:
            shown |= {"close_profit": ratio, "close_profit_abs": profit}
            shown["close_profit_pct"] = shown["profit_pct"]
        return shown

    def profit(self) -> Json:
        done = sum(trade.profit for trade in self.closed)
        every = done + sum(self.profit_now(trade) for trade in self.open)
        ratios = [trade.profit / trade.stake for trade in self.closed if trade.stake]
        won = [trade for trade in self.closed if trade.profit > 0]
        lost = [trade for trade in self.closed if trade.profit <= 0]
        best = max(self.performance(), key=lambda row: row["profit_abs"], default=None)
        first = self.trades[0].opened if self.trades else None
        last = self.trades[-1].opened if self.trades else None
        losses = -sum(trade.profit for trade in lost)
        spans = [trade.closed - trade.opened for trade in self.closed if trade.closed]
        mean = sum(spans) / len(spans) if spans else 0
        drawdown = _drawdown([value for _, value in self.history])
        return {
            **_profit("closed", done, ratios, self.start),
            **_profit("all", every, ratios, self.start),
            "trade_count": len(self.trades),
            "closed_trade_count": len(self.closed),
            "winning_trades": len(won),
            "losing_trades": len(lost),
            "winrate": len(won) / len(self.closed) if self.closed else 0.0,
            "profit_factor": sum(trade.profit for trade in won) / losses if losses else None,
            "max_drawdown": drawdown,
            "avg_duration": str(dt.timedelta(seconds=int(mean))),
            "best_pair": best["pair"] if best else "",
            "best_rate": best["profit_pct"] if best else 0.0,
            **_when("first_trade", first, empty=""),
            **_when("latest_trade", last, empty=""),
            "first_trade_humanized": "",
            "latest_trade_humanized": "",
        }

    def performance(self) -> list[Json]:
        """Profit by pair, the best first."""
        return grouped(self.closed, "pair", lambda trade: pair_of(trade.symbol))

    def balance(self) -> Json:
        currencies = []
        for name, each in self.values.items():
            amount = _amount(each)
            worth = amount if name == self.quote else amount * self._worth(name)
            currencies.append(
                {
                    "currency": name,
                    "free": _amount(each, "available"),
                    "used": amount - _amount(each, "available"),
                    "balance": amount,
                    "bot_owned": amount,
                    "est_stake": worth,
                    "est_stake_bot": worth,
                    "stake": self.quote,
                    "side": "long",
                    "is_position": False,
                    "position": 0.0,
                    "is_bot_managed": True,
                }
            )
        ratio = self.value / self.start - 1 if self.start else 0.0
        return {
            "currencies": currencies,
            "total": self.value,
            "total_bot": self.value,
            "symbol": "",
            "value": 0.0,
            "value_bot": 0.0,
            "stake": self.quote,
            "note": "" if self.live else "Simulated balances",
            "starting_capital": self.start,
            "starting_capital_ratio": ratio,
            "starting_capital_pct": round(100 * ratio, 2),
        }

    def _worth(self, base: str) -> float:
        same = [each for each in self.trades if pair_of(each.symbol).startswith(f"{base}/")]
        return self.rate(same[-1]) if same else 0.0


def _amount(value: Any, *names: str) -> float:
    """What an asset's entry says: a number, or {available, hold}."""
    if isinstance(value, Mapping):
        parts = names or ("available", "hold")
        return sum(float(value.get(name) or 0) for name in parts)
    return float(value or 0)


def _when(name: str, seconds: float | None, empty: str | None = None) -> Json:
    date = empty
    if seconds is not None:
        moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
        date = moment.strftime("%Y-%m-%d %H:%M:%S")
    stamp = int(seconds * 1000) if seconds is not None else (0 if empty == "" else None)
    return {f"{name}_date": date, f"{name}_timestamp": stamp}


def _profit(which: str, total: float, ratios: Sequence[float], start: float) -> Json:
    mean = sum(ratios) / len(ratios) if ratios else 0.0
    ratio = total / start if start else 0.0
    return {
        f"profit_{which}_coin": total,
        f"profit_{which}_ratio": ratio,
        f"profit_{which}_percent": round(100 * ratio, 2),
        f"profit_{which}_ratio_mean": mean,
        f"profit_{which}_percent_mean": round(100 * mean, 2),
        f"profit_{which}_ratio_sum": sum(ratios),
        f"profit_{which}_percent_sum": round(100 * sum(ratios), 2),
        f"profit_{which}_fiat": 0.0,
    }


def _drawdown(values: Sequence[float]) -> float:
    """The deepest fall below an earlier height, as a fraction of it."""
    high, deepest = 0.0, 0.0
    for value in values:
        high = max(high, value)
        deepest = max(deepest, 1 - value / high if high > 0 else 0.0)
    return deepest
