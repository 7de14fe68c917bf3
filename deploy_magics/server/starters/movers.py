"""Screens for symbols that moved more than half a percent over the last day."""

from typing import Any

import blankly

SYMBOLS = ["EUR-USD"]


def screen(symbol: str, state: blankly.ScreenerState) -> dict[str, Any]:
    closes = state.interface.history(symbol, 25, resolution="1h", return_as="deque")["close"]
    move = closes[-1] / closes[0] - 1
    return {"move": round(move, 5), "moved": abs(move) > 0.005}


def report(results: dict[str, Any], state: blankly.ScreenerState) -> str:
    moved = [symbol for symbol, found in results.items() if found["moved"]]
    return f"Moved today: {', '.join(moved) or 'nothing'}"


reader = blankly.data.PriceReader("./EUR-USD_1h.csv", "EUR-USD")
exchange = blankly.KeylessExchange(price_reader=reader)
screener = blankly.Screener(exchange, screen, symbols=SYMBOLS, formatter=report)
