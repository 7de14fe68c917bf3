"""Orders as trades: what one buys of a symbol, from its entry until all of it is sold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass
class Trade:
    """One position from its entry on; money in the quote asset."""

    number: int
    symbol: str
    side: str
    opened: float
    open_rate: float
    amount: float = 0.0
    left: float = 0.0
    fees: float = 0.0
    profit: float = 0.0
    closed: float | None = None
    exit_value: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.left > 0

    @property
    def stake(self) -> float:
        return self.open_rate * self.amount

    @property
    def close_rate(self) -> float | None:
        return None if self.is_open else self.exit_value / self.amount


def trades_of(orders: Iterable[Json]) -> list[Trade]:
    """The orders' lots put together again: one trade for each entry, by its time."""
    # pandas is a third of a server's start, and most servers show no bot
    import pandas as pd

    from deploy_magics.executor.trades import pair_orders

    found: dict[tuple[str, float, float], Trade] = {}
    table = pair_orders(orders).sort_values("entry_time", kind="stable")
    for row in table.itertuples():
        opened = row.entry_time.timestamp()
        key = (row.symbol, opened, row.entry_price)
        if key not in found:
            found[key] = Trade(len(found) + 1, row.symbol, row.side, opened, row.entry_price)
        trade = found[key]
        trade.amount += row.size
        if pd.isna(row.exit_time):
            trade.left += row.size
            trade.fees += row.fees
        else:
            trade.profit += row.profit
            trade.exit_value += row.exit_price * row.size
            trade.closed = max(trade.closed or 0.0, row.exit_time.timestamp())
    for trade in found.values():
        if trade.is_open:
            trade.closed = None
    return list(found.values())


def grouped(trades: Iterable[Trade], key: str, name_of: Any) -> list[Json]:
    """Number and profit of trades by what ``name_of`` says of each."""
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in trades:
        groups[name_of(trade)].append(trade)
    rows = []
    for name, each in groups.items():
        profit, stake = sum(t.profit for t in each), sum(t.stake for t in each)
        ratio = profit / stake if stake else 0.0
        rows.append(
            {
                key: name,
                "count": len(each),
                "profit": round(100 * ratio, 2),
                "profit_pct": round(100 * ratio, 2),
                "profit_ratio": ratio,
                "profit_abs": profit,
            }
        )
    return sorted(rows, key=lambda row: row["profit_abs"], reverse=True)


def pair_of(symbol: str) -> str:
    return symbol.replace("-", "/", 1)
