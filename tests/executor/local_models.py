"""Models and prices for the tests of runs on this machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from deploy_magics.executor.data import PriceSet, load_prices
from deploy_magics.model.model import Model

START = 1_500_000_000 // 3600 * 3600

RSI = """
import collections
import blankly


def price_event(price, symbol, state):
    state.variables.history.append(price)
    rsi = blankly.indicators.rsi(list(state.variables.history), period=14)
    if len(rsi) == 0:
        return
    if rsi[-1] < 40 and not state.variables.owns:
        size = blankly.trunc(state.interface.cash / price, 4)
        state.interface.market_order(symbol, "buy", size)
        state.variables.owns = True
    elif rsi[-1] > 60 and state.variables.owns:
        size = blankly.trunc(state.interface.account[state.base_asset].available, 4)
        state.interface.market_order(symbol, "sell", size)
        state.variables.owns = False


def init(symbol, state):
    history = state.interface.history(symbol, to=150, resolution=state.resolution)
    state.variables.history = collections.deque(history["close"], 150)
    state.variables.owns = False


exchange = blankly.KeylessExchange(price_reader=None)
strategy = blankly.Strategy(exchange)
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1h", init=init)
"""

EVERY_HOUR = """
import blankly


def price_event(price, symbol, state):
{body}


strategy = blankly.Strategy(blankly.KeylessExchange())
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1h")
"""


def every_hour(body: str, head: str = "") -> str:
    """A model whose callback is ``body``, after ``head``."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return head + EVERY_HOUR.replace("{body}", indented)


def frame(bars: int = 500, step: int = 3600, seed: int = 1, level: float = 1.1) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    close = (level * np.exp(np.cumsum(chance.normal(0, 0.004, bars)))).round(5)
    opening = np.concatenate(([level], close[:-1]))
    return pd.DataFrame(
        {
            "time": START + step * np.arange(bars),
            "open": opening,
            "high": np.maximum(opening, close) + 0.001,
            "low": np.minimum(opening, close) - 0.001,
            "close": close,
            "volume": chance.integers(1, 900, bars),
        }
    )


def hourly(symbol: str = "EUR-USD", **options: Any) -> PriceSet:
    return load_prices({symbol: frame(**options)})


def model(source: str, **options: Any) -> Model:
    return Model.build("a model", source, requirements=["blankly"], **options)
