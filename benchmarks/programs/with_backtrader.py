"""The RSI strategy on backtrader, orders filled at the bar's close."""

import backtrader as bt
from peer import HIGH, LOW, PERIOD, SIZE, WARM_UP, main


class Rsi(bt.Strategy):
    def __init__(self):
        self.rsi = bt.indicators.RSI(self.data.close, period=PERIOD, safediv=True)
        self.trades = 0

    def next(self):
        if len(self) <= WARM_UP:
            return
        if self.rsi[0] < LOW and not self.position:
            self.buy(size=SIZE)
        elif self.rsi[0] > HIGH and self.position:
            self.close()
            self.trades += 1


def once(bars, csv):
    cerebro = bt.Cerebro()
    cerebro.adddata(bt.feeds.PandasData(dataname=bars))
    cerebro.addstrategy(Rsi)
    cerebro.broker.setcash(10_000)
    cerebro.broker.set_coc(True)
    strategy = cerebro.run()[0]
    return cerebro.broker.getvalue(), strategy.trades


if __name__ == "__main__":
    main(once)
