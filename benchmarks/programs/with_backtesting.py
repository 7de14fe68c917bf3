"""The RSI strategy on backtesting.py."""

import warnings

from backtesting import Backtest, Strategy
from peer import HIGH, LOW, SIZE, WARM_UP, main, wilder_rsi


class Rsi(Strategy):
    def init(self):
        self.rsi = self.I(wilder_rsi, self.data.Close)

    def next(self):
        if len(self.data) <= WARM_UP:
            return
        if self.rsi[-1] < LOW and not self.position:
            self.buy(size=SIZE)
        elif self.rsi[-1] > HIGH and self.position:
            self.position.close()


def once(bars, csv):
    warnings.simplefilter("ignore")
    table = bars.rename(columns=str.capitalize)
    stats = Backtest(table, Rsi, cash=10_000, trade_on_close=True).run()
    return stats["Equity Final [$]"], stats["# Trades"]


if __name__ == "__main__":
    main(once)
