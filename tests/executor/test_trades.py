from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy_magics.executor.trades import COLUMNS, closed, pair_orders

Order = Callable[..., dict[str, Any]]


def rows(orders: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return list(pair_orders(orders)[list(names)].itertuples(index=False, name=None))


def test_a_trade(make_order: Order) -> None:
    table = pair_orders(
        [make_order("buy", 10, 100, 0, fee=1), make_order("sell", 10, 110, 5, fee=2)]
    )
    assert tuple(table.columns) == COLUMNS
    trade = table.iloc[0]
    assert (trade.symbol, trade.side, trade["size"]) == ("EUR-USD", "long", 10)
    assert trade.entry_time == pd.Timestamp("2017-05-01", tz="UTC")
    assert trade.duration == pd.Timedelta(hours=5)
    assert (trade.fees, trade.profit, trade.profit_pct) == (3, 97, pytest.approx(9.7))


def test_the_first_in_goes_first_out(make_order: Order) -> None:
    orders = [
        make_order("buy", 10, 100, 0),
        make_order("buy", 10, 200, 1),
        make_order("sell", 15, 300, 2),
        make_order("sell", 5, 50, 3),
    ]
    assert rows(orders, "size", "entry_price", "exit_price", "profit") == [
        (10, 100, 300, 2000),
        (5, 200, 300, 500),
        (5, 200, 50, -750),
    ]


def test_fees_go_with_the_parts(make_order: Order) -> None:
    orders = [
        make_order("buy", 10, 100, 0, fee=4),
        make_order("sell", 5, 100, 1, fee=1),
        make_order("sell", 5, 100, 2, fee=3),
    ]
    assert rows(orders, "fees", "profit") == [(3, -3), (5, -5)]


def test_a_short_trade(make_order: Order) -> None:
    orders = [make_order("sell", 2, 100, 0), make_order("buy", 2, 90, 1)]
    assert rows(orders, "side", "profit", "profit_pct") == [("short", 20, 10)]


def test_one_order_turns_a_position_round(make_order: Order) -> None:
    orders = [
        make_order("buy", 1, 100, 0, fee=1),
        make_order("sell", 3, 110, 1, fee=3),
        make_order("buy", 2, 100, 2, fee=2),
    ]
    assert rows(orders, "side", "size", "fees", "profit") == [
        ("long", 1, 2, 8),
        ("short", 2, 4, 16),
    ]


def test_what_is_open_stands_last(make_order: Order) -> None:
    table = pair_orders([make_order("buy", 3, 100, 0), make_order("sell", 1, 110, 1)])
    assert table["exit_time"].isna().tolist() == [False, True]
    assert table["size"].tolist() == [1, 2]
    assert np.isnan(table["profit"].iloc[1])
    assert len(closed(table)) == 1


def test_what_rounding_leaves_is_no_trade(make_order: Order) -> None:
    orders = [
        make_order("buy", 1000.01, 1.0, 0),
        make_order("sell", 1000.0, 1.1, 1),
        make_order("buy", 1000.0, 1.2, 2),
        make_order("sell", 1000.01, 1.3, 3),
    ]
    table = pair_orders(orders)
    assert len(table) == 2
    assert table["profit"].sum() == pytest.approx(1000 * 0.1 + 1000 * 0.1 + 0.01 * 0.3)


def test_symbols_do_not_mix_and_unfilled_orders_do_not_count(make_order: Order) -> None:
    orders = [
        make_order("buy", 1, 100, 0),
        make_order("sell", 1, 5, 1, symbol="BTC-USD"),
        make_order("sell", 1, 200, 2, status="canceled"),
        make_order("sell", 1, 300, 2, status="pending"),
        make_order("sell", 1, 150, 3, status="partially_filled", filled_size=0.5),
        make_order("sell", 1, None, 4),
    ]
    assert rows(orders, "symbol", "side", "size")[0] == ("EUR-USD", "long", 0.5)
    assert len(pair_orders(orders)) == 3


def test_nothing() -> None:
    table = pair_orders([])
    assert table.empty
    assert tuple(table.columns) == COLUMNS
    assert closed(table).empty


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(50, 150)),
        max_size=30,
    )
)
def test_profit_is_what_the_orders_moved(steps: list[tuple[str, int, int]]) -> None:
    """Closed profit and what is open at its cost add up to the cash that the orders moved."""
    orders = [
        {"symbol": "A", "side": side, "size": size, "price": price, "time": at + 1, "fee": 0.5}
        for at, (side, size, price) in enumerate(steps)
    ]
    table = pair_orders(orders)
    sign = {"buy": -1, "sell": 1}
    cash = sum(sign[side] * size * price - 0.5 for side, size, price in steps)
    opened = table[table["exit_time"].isna()]
    direction = np.where(opened["side"] == "long", -1.0, 1.0)
    cost = (direction * opened["size"] * opened["entry_price"] - opened["fees"]).sum()
    assert table["profit"].sum() + cost == pytest.approx(cash, abs=1e-6)
    held = sum(-sign[side] * size for side, size, _ in steps)
    assert -(direction * opened["size"]).sum() == pytest.approx(held, abs=1e-9)
