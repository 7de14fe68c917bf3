"""Pairs orders into trades: first in, first out, for each symbol."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    "symbol", "side", "size", "entry_time", "exit_time", "entry_price", "exit_price",
    "fees", "profit", "profit_pct", "duration",
)  # fmt: skip
FILLED = frozenset({"done", "filled", "closed", "executed", "partially_filled", "partial"})
DUST = 1e-9  # of an order's size: what floating point leaves of it
REST = 1e-3  # of a lot's size: what a strategy leaves that cuts its sizes to some decimals


@dataclass
class Lot:
    """A part of a position that is still open; ``size`` is negative for a short one."""

    time: float
    price: float
    size: float
    fee: float  # in quote, for what is left of it
    whole: float = 0.0  # its size when it was opened


def pair_orders(orders: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """``paired`` as a table, its times in UTC."""
    columns: dict[str, Any] = paired(orders)
    for name in ("entry_time", "exit_time"):
        columns[name] = pd.DatetimeIndex(columns[name], tz="UTC")
    return pd.DataFrame(columns, columns=list(COLUMNS))


def paired(orders: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns by name, with a row for each part of a position that was opened and closed, in the
    order of the exits.

    ``side`` is long or short, times are datetime64, ``fees`` and ``profit`` are in the quote asset,
    profit after fees, ``profit_pct`` of what the entry cost. What is still open stands last,
    without exit and profit. The rest that rounding leaves of a lot (under 0.1 %) is no trade of
    its own: it goes into the next lot, at its own cost.
    """
    lots: dict[str, deque[Lot]] = {}
    rows: list[dict[str, Any]] = []
    fills = [fill for order in orders if (fill := _fill(order)) is not None]
    for symbol, lot in sorted(fills, key=lambda fill: fill[1].time):
        waiting = lots.setdefault(symbol, deque())
        dust = abs(lot.size) * DUST
        while waiting and abs(lot.size) > dust and waiting[0].size * lot.size < 0:
            rows.append(_close(symbol, waiting, lot))
        if abs(lot.size) > dust:
            _open(waiting, lot)
    rows += [_row(symbol, lot) for symbol, left in lots.items() for lot in left]
    return _columns(rows)


def closed(trades: pd.DataFrame) -> pd.DataFrame:
    return trades[trades["exit_time"].notna()]


def _fill(order: Mapping[str, Any]) -> tuple[str, Lot] | None:
    """What an order moved; None for one that was not filled."""
    if str(order.get("status", "done")).lower() not in FILLED:
        return None
    size = _number(order.get("filled_size", order.get("filled", order.get("size"))))
    price = _number(order.get("average_price", order.get("price")))
    side = str(order.get("side", "")).lower()
    if not size or price is None or side not in ("buy", "sell"):
        return None
    time = _number(order.get("time")) or _number(order.get("created_at")) or 0.0
    signed = size if side == "buy" else -size
    return str(order.get("symbol", "")), Lot(time, price, signed, _number(order.get("fee")) or 0.0)


def _open(waiting: deque[Lot], lot: Lot) -> None:
    if waiting and abs(waiting[-1].size) <= REST * waiting[-1].whole:
        rest = waiting.pop()
        size = rest.size + lot.size
        lot.price = (rest.price * rest.size + lot.price * lot.size) / size
        lot.size, lot.fee = size, rest.fee + lot.fee
    lot.whole = abs(lot.size)
    waiting.append(lot)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _close(symbol: str, waiting: deque[Lot], out: Lot) -> dict[str, Any]:
    """Close the oldest lot with ``out``, as far as the smaller of both goes."""
    lot = waiting[0]
    size = min(abs(lot.size), abs(out.size))
    entry_fee, exit_fee = lot.fee * size / abs(lot.size), out.fee * size / abs(out.size)
    direction = math.copysign(1.0, lot.size)
    part = Lot(lot.time, lot.price, direction * size, entry_fee)
    row = _row(symbol, part)
    fees = entry_fee + exit_fee
    profit = direction * (out.price - lot.price) * size - fees
    row |= {"exit_time": out.time, "exit_price": out.price, "fees": fees, "profit": profit}
    row["profit_pct"] = 100.0 * profit / (lot.price * size)
    lot.size -= direction * size
    lot.fee -= entry_fee
    out.size += direction * size
    out.fee -= exit_fee
    if abs(lot.size) <= size * DUST:
        waiting.popleft()
    return row


def _row(symbol: str, lot: Lot) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "side": "long" if lot.size > 0 else "short",
        "size": abs(lot.size),
        "entry_time": lot.time,
        "exit_time": None,
        "entry_price": lot.price,
        "exit_price": None,
        "fees": lot.fee,
        "profit": None,
        "profit_pct": None,
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in COLUMNS[:-1]}
    for name in ("entry_time", "exit_time"):
        columns[name] = _times(np.array(columns[name], dtype=float))
    for name in ("size", "entry_price", "exit_price", "fees", "profit", "profit_pct"):
        columns[name] = np.array(columns[name], dtype=float)
    columns["duration"] = columns["exit_time"] - columns["entry_time"]
    return columns


def _times(seconds: np.ndarray) -> np.ndarray:
    """What is not known is NaT."""
    known = np.isfinite(seconds)
    nanoseconds = np.round(np.where(known, seconds, 0.0) * 1e9).astype("datetime64[ns]")
    return np.where(known, nanoseconds, np.datetime64("NaT", "ns"))
