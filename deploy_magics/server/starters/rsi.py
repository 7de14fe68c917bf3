"""Buys when the relative strength index falls below 30 and sells when it rises above 70."""

import blankly

SYMBOL = "EUR-USD"
PERIOD = 14


def init(symbol: str, state: blankly.StrategyState) -> None:
    history = state.interface.history(symbol, 150, resolution=state.resolution, return_as="deque")
    state.variables["closes"] = history["close"]
    state.variables["owns"] = False


def on_price(price: float, symbol: str, state: blankly.StrategyState) -> None:
    state.variables["closes"].append(price)
    rsi = blankly.indicators.rsi(state.variables["closes"], PERIOD)
    if rsi[-1] < 30 and not state.variables["owns"]:
        size = blankly.trunc(state.interface.cash / price, 2)
        if size > 0:
            state.interface.market_order(symbol, side="buy", size=size)
            state.variables["owns"] = True
    elif rsi[-1] > 70 and state.variables["owns"]:
        held = state.interface.account[state.base_asset].available
        state.interface.market_order(symbol, side="sell", size=blankly.trunc(held, 2))
        state.variables["owns"] = False


reader = blankly.data.PriceReader("./EUR-USD_1h.csv", SYMBOL)
strategy = blankly.Strategy(blankly.KeylessExchange(price_reader=reader))
strategy.add_price_event(on_price, symbol=SYMBOL, resolution="1h", init=init)

if __name__ == "__main__":
    if blankly.is_deployed and not blankly._backtesting:
        strategy.start()
    else:
        strategy.backtest(
            initial_values={"USD": 10_000}, start_date="2017-05-01", end_date="2017-06-10"
        )
