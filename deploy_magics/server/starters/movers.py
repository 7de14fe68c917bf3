"""Screens for symbols that moved more than a tenth of a percent over the last day of prices."""

from typing import Any

import blankly
import pandas as pd

PRICES = {"EUR-USD": "./EUR-USD_1h.csv"}


def screen(symbol: str, state: blankly.ScreenerState) -> dict[str, Any]:
    closes = pd.read_csv(PRICES[symbol])["close"]
    move = closes.iloc[-1] / closes.iloc[-25] - 1
    return {"move": round(float(move), 5), "moved": bool(abs(move) > 0.001)}


def report(results: dict[str, Any], state: blankly.ScreenerState) -> str:
    moved = [symbol for symbol, found in results.items() if found["moved"]]
    return f"Moved today: {', '.join(moved) or 'nothing'}"


reader = blankly.data.PriceReader("./EUR-USD_1h.csv", "EUR-USD")
exchange = blankly.KeylessExchange(price_reader=reader)
screener = blankly.Screener(exchange, screen, symbols=list(PRICES), formatter=report)
