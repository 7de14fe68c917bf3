"""The RSI strategy on vectorbt: whole columns at once, no callback for each bar."""

import numpy as np
import vectorbt as vbt
from peer import HIGH, LOW, SIZE, WARM_UP, main, wilder_rsi


def once(bars, csv):
    rsi = wilder_rsi(bars["close"])
    open_to_trade = np.arange(len(rsi)) >= WARM_UP
    portfolio = vbt.Portfolio.from_signals(
        bars["close"],
        entries=(rsi < LOW) & open_to_trade,
        exits=(rsi > HIGH) & open_to_trade,
        size=SIZE,
        init_cash=10_000,
    )
    portfolio.stats(silence_warnings=True)
    return portfolio.final_value(), portfolio.trades.closed.count()


if __name__ == "__main__":
    main(once)
